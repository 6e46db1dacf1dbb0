import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from torch import Tensor

from pipeline.models.gaze_masking import clinical_patches, mask_patches, otsu_foreground
from pipeline.sources.gaze.fixations import Fixations
from pipeline.sources.gaze.heatmap import as_gray, heatmap

Levels = NDArray[np.uint8]

SIDE = 12
ANY_MAPS = arrays.arrays(np.uint8, (SIDE, SIDE))
SPARSE_MAPS = arrays.arrays(np.uint8, (SIDE, SIDE), fill=st.just(0), elements=st.integers(0, 255))
FEW_LEVELS = st.lists(st.integers(0, 255), min_size=1, max_size=3).flatmap(
    lambda levels: arrays.arrays(np.uint8, (SIDE, SIDE), elements=st.sampled_from(levels))
)


def foreground(levels: Levels) -> NDArray[np.bool_]:
    """Return the foreground of one map of levels 0 to 255, [S, S]."""
    found: NDArray[np.bool_] = otsu_foreground(torch.from_numpy(levels)[None, None].float() / 255)[0, 0].numpy()
    return found


def variance_between(levels: Levels, threshold: int) -> Fraction:
    """Return the variance between the classes that a threshold makes, in exact numbers."""
    values = levels.astype(np.int64).ravel()
    low, high = values[values <= threshold], values[values > threshold]
    if not len(low) or not len(high):
        return Fraction(0)
    apart = Fraction(int(low.sum()), len(low)) - Fraction(int(high.sum()), len(high))
    return Fraction(len(low) * len(high), len(values) ** 2) * apart**2


@given(ANY_MAPS | SPARSE_MAPS | FEW_LEVELS)
def test_the_foreground_is_that_of_opencv_or_of_a_lower_threshold_that_is_as_good(levels: Levels) -> None:
    threshold, oracle = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    found = foreground(levels)
    if levels.min() == levels.max():
        assert not found.any()
    elif not np.array_equal(found, oracle.astype(bool)):
        ours = int(levels[~found].max())
        assert ours < threshold
        assert variance_between(levels, ours) == variance_between(levels, int(threshold))


def heat_map(seed: int) -> Levels:
    """Return where a reader of forty fixations looked on a chest X-ray of REFLACX's size, [224, 224]."""
    generator = np.random.default_rng(seed)
    width, height, count = 2544, 3056, 40
    fixations = Fixations(
        times=np.stack([np.zeros(count), generator.lognormal(-1.2, 0.45, count)], axis=1),
        position=generator.normal((0.5, 0.45), (0.2, 0.18), (count, 2)) * (width, height),
        resolution=np.full((count, 2), 133.0),
        shown=np.tile([0.0, 0, width, height], (count, 1)),
        on_screen=np.tile([1200.0, 80, 2865, 2080], (count, 1)),
    )
    return as_gray(heatmap(fixations, (height, width), (224, 224)))


@pytest.mark.parametrize("seed", range(3))
def test_a_heat_map_of_fixations_has_the_foreground_that_opencv_finds_and_clinical_patches(seed: int) -> None:
    levels = heat_map(seed)
    _, oracle = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    found = foreground(levels)
    np.testing.assert_array_equal(found, oracle.astype(bool))
    assert 10 < clinical_patches(torch.from_numpy(found)[None, None], 16).sum().item() < 98


@given(st.integers(0, 255))
def test_a_map_of_one_level_has_no_foreground(level: int) -> None:
    assert not foreground(np.full((SIDE, SIDE), level, np.uint8)).any()


def test_of_two_equally_good_thresholds_the_lower_one_counts() -> None:
    levels = np.repeat(np.array([10, 100, 190], np.uint8), [50, 44, 50]).reshape(SIDE, SIDE)
    np.testing.assert_array_equal(foreground(levels), levels > 10)


def test_each_map_has_a_threshold_of_its_own_and_levels_are_rounded() -> None:
    dim, bright = torch.zeros(1, SIDE, SIDE), torch.full((1, SIDE, SIDE), 0.9)
    dim[0, :2], bright[0, 2:5] = 0.01, 1.0
    dim[0, 6] = 0.4 / 255  # rounds to black
    found = otsu_foreground(torch.stack([dim, bright, torch.zeros_like(dim)]))
    assert torch.equal(found, torch.stack([dim > 0.005, bright > 0.95, torch.zeros_like(dim).bool()]))


def test_a_patch_is_clinical_from_half_its_pixels_on() -> None:
    flags = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    flags[0, 0, :8, :16] = True  # 128 of 256 pixels of the first patch
    flags[0, 0, 16:24, 16:32] = True
    flags[0, 0, 16, 16] = False  # 127 of the last
    flags[1] = True
    assert clinical_patches(flags, 16).tolist() == [[True, False, False, False], [True] * 4]


@pytest.mark.parametrize(("count", "hidden_clinical", "hidden_others"), [(0, 0, 147), (34, 17, 130), (196, 147, 0)])
def test_as_many_patches_are_hidden_as_the_specification_counts(
    count: int, hidden_clinical: int, hidden_others: int
) -> None:
    clinical, noise = (torch.arange(196) < count)[None], torch.rand(1, 196, dtype=torch.float64)
    _, masked = mask_patches(clinical, noise, 147, 0.5)
    found = clinical.gather(1, masked).sum().item()
    assert (found, masked.shape[1] - found) == (hidden_clinical, hidden_others)


def masked_by_the_letter(clinical: list[bool], noise: list[float], masked: int, ratio: float) -> list[int]:
    """Return the patches of one image that are hidden, read step by step from spec B4."""
    looked_at = [patch for patch, flag in enumerate(clinical) if flag]
    others = [patch for patch, flag in enumerate(clinical) if not flag]
    from_clinical = min(math.floor(len(looked_at) * ratio), masked)
    from_others = min(masked - from_clinical, len(others))
    from_clinical = masked - from_others

    def loudest(group: list[int], number: int) -> list[int]:
        return sorted(group, key=lambda patch: noise[patch], reverse=True)[:number]

    return sorted(loudest(looked_at, from_clinical) + loudest(others, from_others))


@st.composite
def masks(draw: st.DrawFn) -> tuple[Tensor, Tensor, int, float]:
    """Draw clinical patches and noise of a few images, how many to hide, and the clinical ratio."""
    images, patches = draw(st.integers(1, 4)), draw(st.integers(2, 40))
    clinical = draw(arrays.arrays(np.bool_, (images, patches)))
    noise = np.random.default_rng(draw(st.integers(0, 1000))).random((images, patches))
    ratio = draw(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1))
    return torch.from_numpy(clinical), torch.from_numpy(noise), draw(st.integers(1, patches - 1)), ratio


@given(masks())
def test_masks_are_those_of_the_specification_image_by_image(drawn: tuple[Tensor, Tensor, int, float]) -> None:
    clinical, noise, number, ratio = drawn
    _, masked = mask_patches(clinical, noise, number, ratio)
    expected = [
        masked_by_the_letter(flags, row, number, ratio)
        for flags, row in zip(clinical.tolist(), noise.tolist(), strict=True)
    ]
    assert masked.tolist() == expected


@given(masks())
def test_visible_and_masked_patches_ascend_and_are_all_patches(drawn: tuple[Tensor, Tensor, int, float]) -> None:
    clinical, noise, number, ratio = drawn
    visible, masked = mask_patches(clinical, noise, number, ratio)
    assert masked.shape == (len(clinical), number)
    for part in (visible, masked):
        assert bool((part.diff(dim=1) > 0).all())
    everything = torch.arange(clinical.shape[1]).expand_as(clinical)
    assert torch.equal(torch.cat([visible, masked], dim=1).sort(dim=1).values, everything)


def test_without_gaze_every_patch_is_hidden_equally_often() -> None:
    images, patches, number = 4000, 16, 12
    noise = torch.rand(images, patches, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    _, masked = mask_patches(torch.zeros(images, patches, dtype=torch.bool), noise, number, 0.5)
    shares = masked.flatten().bincount(minlength=patches) / images
    deviation = math.sqrt(0.75 * 0.25 / images)
    assert float((shares - 0.75).abs().max()) < 4 * deviation


def test_a_lower_clinical_ratio_lets_more_of_what_was_looked_at_be_seen() -> None:
    noise = torch.rand(8, 196, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    clinical = (torch.arange(196) < 40).expand(8, -1)
    hidden = [clinical.gather(1, mask_patches(clinical, noise, 147, ratio)[1]).sum(1) for ratio in (0, 0.5, 0.75, 1)]
    assert [set(counts.tolist()) for counts in hidden] == [{0}, {20}, {30}, {40}]


def test_no_step_waits_for_values_from_the_device() -> None:
    gaze, noise = torch.empty(2, 1, 32, 32, device="meta"), torch.empty(2, 16, device="meta")
    visible, masked = mask_patches(clinical_patches(otsu_foreground(gaze), 8), noise, 12, 0.5)
    assert (visible.shape, masked.shape) == ((2, 4), (2, 12))

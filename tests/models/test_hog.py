import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.feature import hog as scikit_image_hog
from torch import Tensor

from pipeline.models.hog import Binning, gradients, histograms, hog_pyramid

CELLS = (4, 8, 16, 32)
BINNINGS: tuple[Binning, ...] = ("linear", "hard")

Floats = npt.NDArray[np.float64]

gray_images = arrays(np.uint8, (16, 16)).map(lambda pixels: torch.from_numpy(pixels / 255.0)[None, None])


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def upright_edge(left: float, right: float) -> Tensor:
    image = torch.full((1, 1, 64, 64), left)
    image[..., 30:] = right
    return image


def grid(of_cells: Tensor) -> Tensor:
    """Lay histograms [B, cells, bins] of a square image out as [B, rows, columns, bins]."""
    return of_cells.unflatten(1, (math.isqrt(of_cells.shape[1]), -1))


def counted_in_a_loop(image: Floats, binning: Binning, cell: int) -> Floats:
    """Count Sobel gradients pixel by pixel into 9 bins, [cells, 9]."""
    across, down = (-ndimage.sobel(image, axis, mode="mirror") for axis in (1, 0))
    rows = len(image) // cell
    counts = np.zeros((rows, rows, 9))
    for row, column in np.ndindex(image.shape):
        place = math.atan2(down[row, column], across[row, column]) / math.pi * 9
        below = math.floor(place)
        share = place - below if binning == "linear" else 0.0
        magnitude = math.hypot(down[row, column], across[row, column]) / cell**2
        counts[row // cell, column // cell, below % 9] += (1 - share) * magnitude
        counts[row // cell, column // cell, (below + 1) % 9] += share * magnitude
    lengths = np.linalg.norm(counts, axis=-1, keepdims=True)
    return (counts / lengths).reshape(-1, 9)


@pytest.mark.parametrize("binning", BINNINGS)
@pytest.mark.parametrize("gray", [0.0, 0.3, 1.0])
def test_an_image_of_one_gray_has_only_empty_histograms(binning: Binning, gray: float) -> None:
    for of_cells in hog_pyramid(torch.full((2, 1, 64, 64), gray), 9, binning, CELLS):
        assert not of_cells.any()


def test_rounding_in_an_image_of_one_gray_is_not_taken_for_an_edge() -> None:
    noise = torch.finfo(torch.float32).eps * torch.randint(-1, 2, (1, 1, 64, 64)).float()
    for of_cells in hog_pyramid(1 + noise, 9, "linear", CELLS):
        assert of_cells.norm(dim=-1).max() < 0.2


def test_one_gray_level_of_one_pixel_is_an_edge_even_in_the_largest_cell() -> None:
    image = torch.zeros(1, 1, 32, 32)
    image[..., 10, 10] = 1 / 255
    for of_cells in hog_pyramid(image, 9, "linear", CELLS):
        assert of_cells.norm(dim=-1).max() == pytest.approx(1)


@pytest.mark.parametrize("binning", BINNINGS)
@pytest.mark.parametrize("sides", [(0.1, 0.9), (0.9, 0.1)])
def test_an_upright_edge_fills_a_single_bin(binning: Binning, sides: tuple[float, float]) -> None:
    for of_cells in hog_pyramid(upright_edge(*sides), 9, binning, CELLS):
        seen = of_cells[of_cells.any(dim=-1)]
        assert len(seen)
        assert (seen[:, 0] == 1).all()
        assert not seen[:, 1:].any()


def test_a_level_edge_lies_amid_the_hard_bins_and_between_two_linear_ones() -> None:
    image = upright_edge(0.0, 1.0).mT
    (hard,), (linear,) = (hog_pyramid(image, 9, binning, (64,)) for binning in BINNINGS[::-1])
    assert hard[0, 0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    np.testing.assert_allclose(linear[0, 0], np.sqrt(0.5) * np.isin(np.arange(9), (4, 5)), atol=1e-6)


@pytest.mark.parametrize("binning", BINNINGS)
def test_brightness_and_contrast_leave_the_target_as_it_is(binning: Binning) -> None:
    image = drawn(2, 1, 64, 64, dtype=torch.float64)
    expected = hog_pyramid(image, 9, binning, CELLS)
    for changed in (image + 0.7, image * 3.1, (image - 0.485) / 0.229):
        for theirs, ours in zip(hog_pyramid(changed, 9, binning, CELLS), expected, strict=True):
            torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-9)


def test_channels_that_are_normalised_differently_have_equal_histograms() -> None:
    gray = drawn(2, 1, 64, 64)
    red, green, blue = (
        hog_pyramid((gray - mean) / std, 9, "linear", CELLS)
        for mean, std in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
    )
    for channels in zip(red, green, blue, strict=True):
        torch.testing.assert_close(channels[1], channels[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(channels[2], channels[0], rtol=0, atol=1e-5)


def test_noise_turns_an_upright_edge_around_where_bins_are_hard_and_hardly_moves_it_where_they_are_linear() -> None:
    edge = upright_edge(0.0, 1.0)
    noisy = edge + 1e-6 * (2 * drawn(1, 1, 64, 64) - 1)
    moved = {}
    for binning in BINNINGS:
        (clean,), (dirty,) = (hog_pyramid(image, 9, binning, (32,)) for image in (edge, noisy))
        moved[binning] = (clean - dirty)[clean.any(dim=-1)].abs().max()
    assert moved["linear"] < 1e-4
    assert moved["hard"] > 0.3


def test_gradients_are_those_of_scipy_towards_the_dark() -> None:
    image = drawn(1, 1, 20, 30, dtype=torch.float64)
    horizontal, vertical = gradients(image)
    for ours, axis in ((horizontal, 1), (vertical, 0)):
        np.testing.assert_allclose(ours[0, 0], -ndimage.sobel(image[0, 0].numpy(), axis, mode="mirror"), atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_histograms_equal_those_of_scikit_image(cell: int, real_data: Path) -> None:
    path = min((real_data / "nih_cxr14" / "images").glob("*.jpg"))
    stored = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    radiograph = cv2.resize(stored, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float64)
    across, down = np.zeros((2, 224, 224))  # scikit-image has no Sobel gradients, and none at the border
    across[:, 1:-1] = radiograph[:, 2:] - radiograph[:, :-2]
    down[1:-1] = radiograph[2:] - radiograph[:-2]
    (ours,) = histograms(torch.from_numpy(across)[None, None], torch.from_numpy(down)[None, None], 9, "hard", (cell,))
    theirs = scikit_image_hog(
        radiograph, 9, (cell, cell), cells_per_block=(1, 1), block_norm="L2", feature_vector=False
    ).reshape(-1, 9)
    # It adds the pixels of a cell in float32, 1,024 of them at most; ours does in float64.
    np.testing.assert_allclose(ours[0], theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("binning", BINNINGS)
def test_every_scale_of_one_pass_is_what_a_loop_over_pixels_counts(binning: Binning) -> None:
    image = drawn(1, 1, 64, 64, dtype=torch.float64)
    for cell, ours in zip(CELLS, hog_pyramid(image, 9, binning, CELLS), strict=True):
        np.testing.assert_allclose(ours[0], counted_in_a_loop(image[0, 0].numpy(), binning, cell), atol=1e-9)


def test_cells_come_in_the_order_they_are_asked_for() -> None:
    image = drawn(1, 1, 64, 64)
    ascending, descending = (hog_pyramid(image, 9, "linear", cells) for cells in (CELLS, CELLS[::-1]))
    assert [of_cells.shape[1] for of_cells in ascending] == [256, 64, 16, 4]
    assert all(torch.equal(*pair) for pair in zip(ascending, descending[::-1], strict=True))


@settings(max_examples=40)
@given(gray_images, st.integers(2, 12))
def test_mirroring_an_image_mirrors_cells_and_bins(image: Tensor, orientations: int) -> None:
    originals, mirrored = (hog_pyramid(each, orientations, "linear", (4, 8)) for each in (image, image.flip(-1)))
    bins = -torch.arange(orientations) % orientations
    for original, mirror in zip(originals, mirrored, strict=True):
        torch.testing.assert_close(grid(mirror), grid(original).flip(2)[..., bins], rtol=0, atol=1e-9)


@settings(max_examples=40)
@given(gray_images, st.integers(1, 6))
def test_turning_an_image_by_a_quarter_turns_cells_and_shifts_bins_by_half_their_number(
    image: Tensor, half: int
) -> None:
    originals, turned = (hog_pyramid(each, 2 * half, "linear", (4, 8)) for each in (image, image.rot90(1, (-2, -1))))
    for original, turn in zip(originals, turned, strict=True):
        expected = grid(original).rot90(1, (1, 2)).roll(half, -1)
        torch.testing.assert_close(grid(turn), expected, rtol=0, atol=1e-9)


@settings(max_examples=40)
@given(gray_images, st.sampled_from(BINNINGS))
def test_histograms_are_not_negative_and_of_length_one_or_empty(image: Tensor, binning: Binning) -> None:
    for of_cells in hog_pyramid(image, 9, binning, (4, 8, 16)):
        assert (of_cells >= 0).all()
        lengths = of_cells.norm(dim=-1)
        assert (((lengths - 1).abs() < 1e-9) | (lengths == 0)).all()


def test_the_histograms_of_an_image_do_not_depend_on_its_batch() -> None:
    images = drawn(9, 1, 32, 32)
    together = hog_pyramid(images, 9, "linear", (4, 16))
    alone = [hog_pyramid(images[place : place + 1], 9, "linear", (4, 16)) for place in range(9)]
    for scale, of_cells in enumerate(together):
        torch.testing.assert_close(of_cells, torch.cat([pyramid[scale] for pyramid in alone]), rtol=0, atol=1e-6)


def test_targets_keep_full_precision_under_autocast_and_carry_no_gradient() -> None:
    images = drawn(2, 1, 32, 32).requires_grad_()
    expected = hog_pyramid(images, 9, "linear", (8,))
    with torch.autocast("cpu", torch.bfloat16):
        (ours,) = hog_pyramid(images, 9, "linear", (8,))
    assert ours.dtype == torch.float32
    assert not ours.requires_grad
    assert torch.equal(ours, expected[0])


@pytest.mark.parametrize(("cells", "message"), [((4, 6), "cells of 4 pixels"), ((5,), "images of 32 x 32 pixels")])
def test_cells_that_do_not_tile_are_refused(cells: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hog_pyramid(torch.zeros(1, 1, 32, 32), 9, "linear", cells)

"""Pictures of CXR-MIM hold what was hidden and what was predicted, each in its place."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.models.hog import hog_pyramid
from pipeline.settings.methods import CxrMimSettings
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.cxr_mim import CxrMim
from pipeline.tasks.pyramid_pictures import PyramidPictures, bin_angles, pyramid_pictures, shown_taps

SIDE, PATCH, ROWS = 32, 8, 4
TASK = {
    "kind": "cxr_mim",
    "taps": [0, 1],
    "scales": [4, 1],
    "decoder_width": 16,
    "decoder_heads": 2,
    "orientations": 6,
}


def task_of(run: PretrainingSettings, channels: int = 1, **changes: Any) -> CxrMim:
    changed = run.model_dump(mode="json") | {"task": TASK | changes}
    changed["encoder"]["channels"] = channels
    return CxrMim(PretrainingSettings.model_validate(changed)).eval()


def images(gaze: bool = True) -> ImageBatch:
    """Return two images; readers looked at the second's upper left quarter, and the first has no gaze map."""
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 1, SIDE, SIDE), dtype=np.uint8))
    looked_at = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8)
    looked_at[1, :, : SIDE // 2, : SIDE // 2] = 255
    none = np.zeros(2, np.int64)
    return ImageBatch(
        Planes.of(pixels),
        none,
        np.arange(2),
        none,
        gaze=Planes.of(looked_at) if gaze else None,
        gazed=torch.tensor([False, True]) if gaze else None,
    )


@pytest.fixture
def pictures(small_run: PretrainingSettings) -> PyramidPictures:
    return pyramid_pictures(task_of(small_run), images())


def test_hidden_and_clinical_patches_stand_where_the_image_has_them(
    pictures: PyramidPictures, small_run: PretrainingSettings
) -> None:
    assert pictures.clinical[1, : ROWS // 2, : ROWS // 2].all()
    assert pictures.clinical.sum() == (ROWS // 2) ** 2
    prediction = task_of(small_run).predict_fixed(images())
    for hidden, masked in zip(pictures.hidden, prediction.masked, strict=True):
        assert np.flatnonzero(hidden).tolist() == sorted(masked.tolist())
    assert pictures.gazed.tolist() == [False, True]


def test_the_finest_scale_comes_first_with_every_cell_of_a_hidden_patch(pictures: PyramidPictures) -> None:
    assert [scale.cell for scale in pictures.scales] == [2, 8]
    for scale in pictures.scales:
        spread = np.kron(pictures.hidden, np.ones((PATCH // scale.cell, PATCH // scale.cell)))
        np.testing.assert_array_equal(scale.hidden, spread)


@pytest.mark.parametrize("channels", [1, 3])
def test_targets_are_the_gradients_of_the_image_row_by_row(small_run: PretrainingSettings, channels: int) -> None:
    pictures = pyramid_pictures(task_of(small_run, channels), images())
    for scale in pictures.scales:
        (flat,) = hog_pyramid(torch.from_numpy(pictures.images).unsqueeze(1), 6, "linear", [scale.cell])
        rows = SIDE // scale.cell
        np.testing.assert_allclose(scale.target, flat.reshape(2, rows, rows, 6), atol=1e-5)
        assert scale.predicted.shape == scale.target.shape


def test_a_method_that_reads_no_gaze_has_none_to_show(small_run: PretrainingSettings) -> None:
    pictures = pyramid_pictures(task_of(small_run, masking="random", gaze_weighting="off"), images(gaze=False))
    assert pictures.gaze is None
    assert not pictures.gazed.any()
    assert not pictures.clinical.any()


@pytest.mark.parametrize("binning", ["linear", "hard"])
@pytest.mark.parametrize("degrees", [50, 70, 130, 170])
def test_the_direction_of_a_bin_is_that_of_the_gradients_it_counts(binning: Any, degrees: float) -> None:
    settings = CxrMimSettings(kind="cxr_mim", binning=binning)
    down, right = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    angle = math.radians(degrees)
    ramp = (right * math.cos(angle) + down * math.sin(angle))[None, None]
    (histograms,) = hog_pyramid(ramp, settings.orientations, settings.binning, [8])
    strongest = bin_angles(settings)[histograms[0, 5].argmax()]
    difference = (strongest - angle + math.pi / 2) % math.pi - math.pi / 2
    assert abs(difference) <= math.pi / settings.orientations / 2 + 1e-6


@pytest.mark.parametrize(
    ("scales", "taps"),
    [
        ((4.0, 2.0, 1.0, 0.5), (0, 2)),
        ((0.5, 1.0, 2.0, 4.0), (3, 1)),
        ((1.0,), (0,)),
        ((1.0, 0.5), (0,)),
        ((4.0, 0.5), (0, 1)),
    ],
)
def test_the_finest_scale_and_that_of_patches_are_shown(scales: tuple[float, ...], taps: tuple[int, ...]) -> None:
    assert shown_taps(scales) == taps


def test_a_cell_larger_than_a_patch_is_hidden_where_some_patch_is(small_run: PretrainingSettings) -> None:
    pictures = pyramid_pictures(task_of(small_run, scales=[4, 0.5]), images())
    coarse = pictures.scales[1]
    quarters = pictures.hidden.reshape(2, 2, 2, 2, 2).any(axis=(2, 4))
    assert coarse.cell == 2 * PATCH
    np.testing.assert_array_equal(coarse.hidden, quarters)

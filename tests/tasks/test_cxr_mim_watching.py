"""A run that masks by gaze notices that its gaze maps mark nothing, however few of its images have one."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.records.errors import UserError
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.cxr_mim import CxrMim

TASK = {"kind": "cxr_mim", "taps": [0, 1], "scales": [4, 1], "decoder_width": 16, "decoder_heads": 2}


def task_of(run: PretrainingSettings, **changes: Any) -> CxrMim:
    return CxrMim(PretrainingSettings.model_validate(run.model_dump(mode="json") | {"task": TASK | changes}))


def watched(gazed: float, clinical: float, images: int) -> dict[str, float]:
    """Return the means over some images of numbers of images and patches."""
    return {"gazed": gazed / images, "clinical_patches": clinical / images}


def test_gaze_maps_without_clinical_patches_are_counted_over_several_logs(small_run: PretrainingSettings) -> None:
    task = task_of(small_run)
    for gazed in (3, 0, 2, 2):
        task.check(watched(gazed, 0, 1000), 1000)
    with pytest.raises(UserError, match=r"last 8 gaze maps.*made.*masking to 'random' and its gaze_weighting to 'off'"):
        task.check(watched(1, 0, 1000), 1000)


def test_a_clinical_patch_in_any_of_several_logs_is_enough(small_run: PretrainingSettings) -> None:
    task = task_of(small_run)
    task.check(watched(4, 1, 500), 500)
    task.check(watched(4, 0, 500), 500)


def test_gaze_maps_are_judged_anew_after_enough_were_seen(small_run: PretrainingSettings) -> None:
    task = task_of(small_run)
    task.check(watched(20, 90, 100), 100)
    task.check(watched(7, 0, 100), 100)
    with pytest.raises(UserError, match="last 9 gaze maps"):
        task.check(watched(2, 0, 100), 100)


def test_means_of_steps_that_no_float_holds_exactly_still_count_as_images(small_run: PretrainingSettings) -> None:
    task = task_of(small_run)
    shares = [float(torch.tensor(1 / 3)), *[0.0] * 6]  # of steps of three images, one gaze map in one of them
    for _ in range(7):
        task.check({"gazed": math.fsum(shares) / len(shares), "clinical_patches": 0.0}, 21)
    with pytest.raises(UserError, match="last 8 gaze maps"):
        task.check({"gazed": math.fsum(shares) / len(shares), "clinical_patches": 0.0}, 21)


def test_random_masking_is_never_judged(small_run: PretrainingSettings) -> None:
    task_of(small_run, masking="random").check({"gazed": 1.0}, 1000)
    task_of(small_run, masking="random", gaze_weighting="off").check({}, 1000)


@pytest.mark.parametrize(
    ("masking", "weighting", "names"),
    [
        ("gaze", "rescaled", ("gazed", "clinical_patches")),
        ("gaze", "off", ("gazed", "clinical_patches")),
        ("random", "rescaled", ("gazed",)),
        ("random", "published", ("gazed",)),
        ("random", "off", ()),
    ],
)
def test_how_many_images_have_gaze_is_watched_wherever_it_counts(
    masking: str, weighting: str, names: tuple[str, ...], small_run: PretrainingSettings
) -> None:
    task = task_of(small_run, masking=masking, gaze_weighting=weighting)
    assert task.watched == names
    scalars = task(half_gazed())
    assert set(scalars) == {"loss", *names}
    assert "gazed" not in names or scalars["gazed"].item() == 0.5


def test_images_that_nobody_looked_at_weigh_all_hidden_cells_alike(small_run: PretrainingSettings) -> None:
    batch = half_gazed(of=())
    losses = [task_of(small_run, gaze_weighting=name).validate(batch)["loss"] for name in ("rescaled", "off")]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=0)


def half_gazed(of: tuple[int, ...] = (1, 3)) -> ImageBatch:
    """Return four images, of which some have a gaze map."""
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 1, 32, 32), dtype=np.uint8))
    gazed = torch.tensor([number in of for number in range(4)])
    gaze = torch.zeros_like(pixels)
    gaze[gazed, :, 8:24, 8:16] = 255
    zeros = np.zeros(4, np.int64)
    return ImageBatch(Planes.of(pixels), zeros, np.arange(4), zeros, gaze=Planes.of(gaze), gazed=gazed)

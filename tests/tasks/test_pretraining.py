from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.models.encoder import normalise
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.methods import build_task

ENCODER_NUMBERS = {"mean": 0.5, "std": 0.25}
OWN_NUMBERS = {"mean": 0.4, "std": 0.2}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.fixture
def pixels() -> Tensor:
    """Return three images of values 0.0 to 1.0."""
    return torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def batch() -> ImageBatch:
    """Say that the first and last image are of the first corpus, the other of the second."""
    planes = Planes.of(torch.zeros(3, 1, 32, 32, dtype=torch.uint8))
    return ImageBatch(planes, np.zeros(3, np.int64), np.arange(3), np.array([0, 1, 0]))


def run_of(small_run: PretrainingSettings, encoder: dict[str, Any], normalisation: dict[str, Any]) -> Any:
    settings = small_run.model_dump()
    changes = {"corpora": ["mimic", "nih"], "normalisation": normalisation, "encoder": settings["encoder"] | encoder}
    return build_task(PretrainingSettings.model_validate(settings | changes))


def test_images_are_normalised_by_the_numbers_of_the_encoder(
    small_run: PretrainingSettings, pixels: Tensor, batch: ImageBatch
) -> None:
    task = run_of(small_run, ENCODER_NUMBERS, {})
    torch.testing.assert_close(task.normalised(pixels, batch), (pixels - 0.5) / 0.25)
    assert torch.equal(task.normalised(pixels, batch), normalise(pixels, task.settings.encoder))


def test_a_corpus_with_numbers_of_its_own_is_normalised_by_them(
    small_run: PretrainingSettings, pixels: Tensor, batch: ImageBatch
) -> None:
    task = run_of(small_run, ENCODER_NUMBERS, {"nih": OWN_NUMBERS})
    expected = (pixels - 0.5) / 0.25
    expected[1] = (pixels[1] - 0.4) / 0.2
    torch.testing.assert_close(task.normalised(pixels, batch), expected)


def test_the_numbers_of_the_encoder_given_to_a_corpus_change_nothing(
    small_run: PretrainingSettings, pixels: Tensor, batch: ImageBatch
) -> None:
    task = run_of(small_run, ENCODER_NUMBERS, {"nih": ENCODER_NUMBERS})
    assert torch.equal(task.normalised(pixels, batch), normalise(pixels, task.settings.encoder))


def test_a_gray_image_is_repeated_and_each_channel_normalised(
    small_run: PretrainingSettings, pixels: Tensor, batch: ImageBatch
) -> None:
    task = run_of(small_run, {"channels": 3} | IMAGENET, {"nih": OWN_NUMBERS})
    normalised = task.normalised(pixels, batch)
    assert normalised.shape == (3, 3, 32, 32)
    for channel in range(3):
        centred = (pixels[0, 0] - IMAGENET["mean"][channel]) / IMAGENET["std"][channel]
        torch.testing.assert_close(normalised[0, channel], centred)
        torch.testing.assert_close(normalised[1, channel], (pixels[1, 0] - 0.4) / 0.2)

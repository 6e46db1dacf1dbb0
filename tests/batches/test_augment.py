import numpy as np
import pytest
import torch

from pipeline.batches.augment import augment, unit_pixels
from pipeline.batches.loader import ImageBatch
from pipeline.settings.pretraining import AugmentationSettings


def batch(pixels: torch.Tensor, epoch: int = 0) -> ImageBatch:
    indices = np.arange(len(pixels))
    return ImageBatch(pixels, np.full_like(indices, epoch), indices)


NOISE = torch.randint(0, 256, (6, 1, 24, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
CROPS = AugmentationSettings(crop_scale=(0.5, 1.0), flip=True)


def test_an_image_is_augmented_alike_in_any_batch() -> None:
    whole = augment(batch(NOISE), CROPS, seed=1)
    alone = ImageBatch(NOISE[3:4], np.array([0]), np.array([3]))
    torch.testing.assert_close(augment(alone, CROPS, seed=1)[0], whole[3], rtol=0, atol=1e-6)


def test_each_epoch_and_seed_crops_anew() -> None:
    first = augment(batch(NOISE), CROPS, seed=1)
    assert not torch.allclose(augment(batch(NOISE, epoch=1), CROPS, seed=1), first)
    assert not torch.allclose(augment(batch(NOISE), CROPS, seed=2), first)


def test_values_stay_between_black_and_white() -> None:
    augmented = augment(batch(NOISE), CROPS, seed=0)
    assert augmented.shape == (6, 1, 24, 24)
    assert augmented.min() >= 0
    assert augmented.max() <= 1


def test_a_whole_unflipped_crop_is_the_image() -> None:
    settings = AugmentationSettings(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=False)
    torch.testing.assert_close(augment(batch(NOISE), settings, seed=0), unit_pixels(batch(NOISE)), rtol=0, atol=1e-5)


def test_about_half_of_the_images_are_mirrored() -> None:
    settings = AugmentationSettings(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=True)
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8).expand(400, 1, 32, 32)
    mirrored = augment(batch(ramp), settings, seed=0)[:, 0, 0, 0] > 0.5
    assert 150 < int(mirrored.sum()) < 250


def test_crops_cover_the_areas_and_shapes_that_are_asked_for() -> None:
    count = 500
    columns = torch.arange(0, 256, 2, dtype=torch.uint8).expand(count, 1, 128, 128)
    rows = columns.transpose(2, 3).contiguous()
    settings = AugmentationSettings(crop_scale=(0.4, 0.9), crop_ratio=(0.8, 1.25), flip=False)
    spans = []
    for ramp, axis in ((columns, 3), (rows, 2)):
        cropped = augment(batch(ramp), settings, seed=0) * 255 / 2
        spans.append(cropped.amax((1, 2, 3)) - cropped.amin((1, 2, 3)))
        assert cropped.diff(dim=axis).min() >= -1e-3
    width, height = (span.numpy() / 127 for span in spans)
    assert (width * height).min() == pytest.approx(0.4, abs=0.05)
    assert (width * height).max() == pytest.approx(0.9, abs=0.05)
    assert (width / height).min() == pytest.approx(0.8, abs=0.05)
    assert (width / height).max() == pytest.approx(1.25, abs=0.07)

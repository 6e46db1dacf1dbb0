from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.batches.augmentation import augment, plain
from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.models.masked_autoencoder import MaskedPrediction
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding, mask_noise
from pipeline.tasks.reconstruction import reconstruct

MEAN, STD = 0.4, 0.2


@pytest.fixture
def batch() -> ImageBatch:
    """Return six smooth images of 36 by 42 pixels."""
    coarse = torch.rand(6, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    pixels = (functional.interpolate(coarse, size=(36, 42), mode="bilinear") * 255).byte()
    return ImageBatch(Planes.of(pixels), np.zeros(6, np.int64), np.arange(6), np.zeros(6, np.int64))


@pytest.fixture
def norm_pix(small_run: PretrainingSettings) -> MaskedAutoencoding:
    """Return a task whose target patches are normalised by their own mean and variance."""
    return MaskedAutoencoding(with_method(small_run, norm_pix=True))


def with_method(run: PretrainingSettings, **changes: Any) -> PretrainingSettings:
    return run.model_copy(update={"task": run.task.model_copy(update=changes)})


def normalised(run: PretrainingSettings) -> PretrainingSettings:
    """Return a run whose images are normalised by numbers of the tests' own."""
    return run.model_copy(update={"encoder": run.encoder.model_copy(update={"mean": MEAN, "std": STD})})


def test_masks_belong_to_images_not_to_batches(batch: ImageBatch) -> None:
    alone = replace(batch, epochs=batch.epochs[2:3], indices=batch.indices[2:3])
    assert torch.equal(mask_noise(batch, 16, 0, "mask")[2:3], mask_noise(alone, 16, 0, "mask"))
    assert mask_noise(batch, 16, 0, "mask").shape == (6, 16)


def test_the_loss_is_the_mean_squared_error_over_masked_pixels_only(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    task = MaskedAutoencoding(normalised(small_run))
    prediction = task.predict_fixed(batch)
    hidden = mask_noise(batch, 16, small_run.seed, "validation mask").argsort(1)[:, 4:].numpy()
    assert np.array_equal(prediction.masked.numpy(), hidden)
    squares = (plain(batch, 32).images.numpy() - MEAN) / STD
    patches = squares.reshape(6, 4, 8, 4, 8).transpose(0, 1, 3, 2, 4).reshape(6, 16, 64)
    pixels = np.take_along_axis(patches, hidden[..., None], axis=1)
    np.testing.assert_allclose(prediction.target.numpy(), pixels, rtol=1e-5, atol=1e-5)
    expected = np.mean((prediction.predicted.detach().numpy() - pixels) ** 2)
    np.testing.assert_allclose(float(task.reconstruction_loss(prediction).detach()), expected, rtol=1e-5)


@pytest.mark.parametrize("mask_ratio", [0.75, 0.5])
@torch.no_grad()
def test_a_training_step_sees_and_predicts_the_crops_that_are_drawn(
    mask_ratio: float, batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    run = with_method(normalised(small_run), mask_ratio=mask_ratio)
    task = MaskedAutoencoding(run)
    seen: list[tuple[tuple[Tensor, Tensor, int], MaskedPrediction]] = []
    task.model.register_forward_hook(lambda _, inputs, output: seen.append((inputs, output)))
    loss = task(batch)["loss"]
    (((images, noise, kept), prediction),) = seen
    crops = augment(batch, run.augmentation, run.seed, 32).images
    assert not torch.allclose(crops, plain(batch, 32).images, atol=0.01)
    torch.testing.assert_close(images, (crops - MEAN) / STD)
    assert torch.equal(noise, mask_noise(batch, 16, run.seed, "mask"))
    assert kept == prediction.predicted.shape[1] == 16 * mask_ratio
    assert float(loss) == pytest.approx(float((prediction.predicted - prediction.target).square().mean()), rel=1e-6)


def test_training_masks_are_not_those_of_validation_even_in_its_epoch(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    task = MaskedAutoencoding(small_run)
    masks: list[Tensor] = []
    task.model.register_forward_hook(lambda _, __, prediction: masks.append(prediction.masked.sort(1).values))
    task(batch)
    task.validate(batch)
    trained, validated = masks
    assert all(not torch.equal(one, other) for one, other in zip(trained, validated, strict=True))


def test_validation_has_the_same_masks_each_time_and_training_new_ones(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    task = MaskedAutoencoding(small_run)
    assert torch.equal(task.validate(batch)["loss"], task.validate(batch)["loss"])
    assert torch.equal(task(batch)["loss"], task(batch)["loss"])
    assert not torch.equal(task(batch)["loss"], task(replace(batch, epochs=batch.epochs + 1))["loss"])


def test_normalised_targets_do_not_see_brightness_and_contrast(batch: ImageBatch, norm_pix: MaskedAutoencoding) -> None:
    prediction = norm_pix.predict_fixed(batch)
    brighter = prediction._replace(target=prediction.target * 3 + 1)
    torch.testing.assert_close(
        norm_pix.reconstruction_loss(brighter), norm_pix.reconstruction_loss(prediction), rtol=1e-3, atol=1e-4
    )


def test_normalised_targets_have_mean_0_and_variance_1_in_each_patch(
    batch: ImageBatch, norm_pix: MaskedAutoencoding
) -> None:
    prediction = norm_pix.predict_fixed(batch)
    target = prediction.target.double().numpy()
    mean, std = target.mean(-1, keepdims=True), target.std(-1, keepdims=True, ddof=1)
    expected = np.mean((prediction.predicted.detach().numpy() - (target - mean) / std) ** 2)
    np.testing.assert_allclose(float(norm_pix.reconstruction_loss(prediction).detach()), expected, rtol=1e-3)


def test_training_predicts_the_kept_share_and_validation_all_that_is_hidden(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    task = MaskedAutoencoding(with_method(small_run, decoder="cross", kept_ratio=0.25))
    asked: list[int] = []
    task.model.decoder.register_forward_hook(lambda _, inputs, __: asked.append(inputs[2].shape[1]))
    loss = task(batch)["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    task.validate(batch)
    assert asked == [3, 12]  # of 16 patches, 4 are visible
    assert task.encoder.blocks[0].attn.qkv.weight.grad.any()


def test_pictures_show_the_original_where_it_was_seen(batch: ImageBatch, small_run: PretrainingSettings) -> None:
    pictures = reconstruct(MaskedAutoencoding(small_run), batch)
    assert pictures.original.shape == (6, 32, 32)
    seen = ~np.isnan(pictures.masked)
    assert seen.mean() == 0.25
    np.testing.assert_allclose(pictures.reconstructed[seen], pictures.original[seen], atol=1e-6)
    assert not np.isnan(pictures.reconstructed).any()
    assert not np.array_equal(pictures.reconstructed[~seen], pictures.original[~seen])

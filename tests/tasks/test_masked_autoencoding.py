from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding, mask_noise
from pipeline.tasks.reconstruction import reconstruct


@pytest.fixture
def batch() -> ImageBatch:
    """Return six smooth images of 36 by 42 pixels."""
    coarse = torch.rand(6, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    pixels = (functional.interpolate(coarse, size=(36, 42), mode="bilinear") * 255).byte()
    return ImageBatch(Planes.of(pixels), np.zeros(6, np.int64), np.arange(6), np.zeros(6, np.int64))


def test_masks_belong_to_images_not_to_batches(batch: ImageBatch) -> None:
    alone = replace(batch, epochs=batch.epochs[2:3], indices=batch.indices[2:3])
    assert torch.equal(mask_noise(batch, 16, 0, "mask")[2:3], mask_noise(alone, 16, 0, "mask"))
    assert mask_noise(batch, 16, 0, "mask").shape == (6, 16)


def test_the_loss_is_the_mean_squared_error_over_masked_pixels_only(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    task = MaskedAutoencoding(small_run)
    prediction = task.predict_fixed(batch)
    expected = np.mean((prediction.predicted.detach().numpy() - prediction.target.numpy()) ** 2)
    np.testing.assert_allclose(float(task.reconstruction_loss(prediction).detach()), expected, rtol=1e-5)


def test_validation_has_the_same_masks_each_time_and_training_new_ones(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    task = MaskedAutoencoding(small_run)
    assert torch.equal(task.validate(batch)["loss"], task.validate(batch)["loss"])
    assert torch.equal(task(batch)["loss"], task(batch)["loss"])
    assert not torch.equal(task(batch)["loss"], task(replace(batch, epochs=batch.epochs + 1))["loss"])


def test_normalised_targets_do_not_see_brightness_and_contrast(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    norm_pix = small_run.model_copy(update={"task": small_run.task.model_copy(update={"norm_pix": True})})
    task = MaskedAutoencoding(norm_pix)
    prediction = task.predict_fixed(batch)
    brighter = prediction._replace(target=prediction.target * 3 + 1)
    torch.testing.assert_close(
        task.reconstruction_loss(brighter), task.reconstruction_loss(prediction), rtol=1e-3, atol=1e-4
    )


def test_normalised_targets_have_mean_0_and_variance_1_in_each_patch(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    norm_pix = small_run.model_copy(update={"task": small_run.task.model_copy(update={"norm_pix": True})})
    task = MaskedAutoencoding(norm_pix)
    prediction = task.predict_fixed(batch)
    target = prediction.target.double().numpy()
    mean, std = target.mean(-1, keepdims=True), target.std(-1, keepdims=True, ddof=1)
    expected = np.mean((prediction.predicted.detach().numpy() - (target - mean) / std) ** 2)
    np.testing.assert_allclose(float(task.reconstruction_loss(prediction).detach()), expected, rtol=1e-3)


def test_training_predicts_the_kept_share_and_validation_all_that_is_hidden(
    batch: ImageBatch, small_run: PretrainingSettings
) -> None:
    cross = small_run.task.model_copy(update={"decoder": "cross", "kept_ratio": 0.25})
    task = MaskedAutoencoding(small_run.model_copy(update={"task": cross}))
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

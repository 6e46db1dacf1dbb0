from pathlib import Path

import numpy as np
import torch

from pipeline.batches.loader import ImageBatch, TrainingLoader
from pipeline.batches.samples import Samples
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding, mask_noise
from pipeline.tasks.reconstruction import reconstruct


def batch(index: Path, side: int = 32) -> ImageBatch:
    with Samples([index], ["train"]) as samples:
        return next(TrainingLoader(samples, side, 6, seed=0, threads=1).batches(0, 1))


def test_masks_belong_to_images_not_to_batches() -> None:
    whole = ImageBatch(torch.zeros(4, 1, 8, 8), np.zeros(4, np.int64), np.arange(4))
    alone = ImageBatch(torch.zeros(1, 1, 8, 8), np.zeros(1, np.int64), np.array([2]))
    assert torch.equal(mask_noise(whole, 16, 0, "mask")[2], mask_noise(alone, 16, 0, "mask")[0])


def test_the_loss_is_the_mean_squared_error_over_masked_pixels_only(
    made_index: Path, small_run: PretrainingSettings
) -> None:
    task = MaskedAutoencoding(small_run)
    prediction = task.predict_fixed(batch(made_index))
    expected = np.mean((prediction.predicted.detach().numpy() - prediction.target.numpy()) ** 2)
    np.testing.assert_allclose(float(task.reconstruction_loss(prediction).detach()), expected, rtol=1e-5)


def test_validation_has_the_same_masks_each_time_and_training_new_ones(
    made_index: Path, small_run: PretrainingSettings
) -> None:
    task, images = MaskedAutoencoding(small_run), batch(made_index)
    assert torch.equal(task.validate(images)["loss"], task.validate(images)["loss"])
    later = ImageBatch(images.pixels, images.epochs + 1, images.indices)
    assert not torch.equal(task(images)["loss"], task(later)["loss"])


def test_normalised_targets_do_not_see_brightness_and_contrast(
    made_index: Path, small_run: PretrainingSettings
) -> None:
    norm_pix = small_run.model_copy(update={"task": small_run.task.model_copy(update={"norm_pix": True})})
    task = MaskedAutoencoding(norm_pix)
    prediction = task.predict_fixed(batch(made_index))
    brighter = prediction._replace(target=prediction.target * 3 + 1)
    torch.testing.assert_close(
        task.reconstruction_loss(brighter), task.reconstruction_loss(prediction), rtol=1e-3, atol=1e-4
    )


def test_pictures_show_the_original_where_it_was_seen(made_index: Path, small_run: PretrainingSettings) -> None:
    pictures = reconstruct(MaskedAutoencoding(small_run), batch(made_index))
    seen = ~np.isnan(pictures.masked)
    assert seen.mean() == 0.25
    np.testing.assert_array_equal(pictures.reconstructed[seen], pictures.original[seen])
    assert not np.isnan(pictures.reconstructed).any()
    assert not np.array_equal(pictures.reconstructed[~seen], pictures.original[~seen])

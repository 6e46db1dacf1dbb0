"""Pictures of reconstructions are in the gray values of the images, whatever the model's input is."""

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.models.masked_autoencoder import MaskedPrediction
from pipeline.models.patches import to_patches
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.tasks.reconstruction import reconstruct

SIDE, PATCH = 32, 8
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def settings_of(run: PretrainingSettings, norm_pix: bool = False, **changes: Any) -> PretrainingSettings:
    changed = run.model_dump(mode="json")
    changed["task"]["norm_pix"] = norm_pix
    changed["encoder"] |= changes.pop("encoder", {})
    return PretrainingSettings.model_validate(changed | changes)


def images(count: int = 4) -> ImageBatch:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)
    positions = np.arange(count)
    return ImageBatch(Planes.of(torch.from_numpy(pixels)), np.zeros_like(positions), positions, positions % 2)


class Perfect(MaskedAutoencoding):
    """Predict what is there."""

    def predict_fixed(self, batch: ImageBatch) -> MaskedPrediction:
        _, target, masked = super().predict_fixed(batch)
        predicted = target
        if self.method.norm_pix:
            predicted = (target - target.mean(-1, keepdim=True)) / target.var(-1, keepdim=True).sqrt()
        return MaskedPrediction(predicted, target, masked)


@pytest.mark.parametrize("norm_pix", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="one channel"),
        pytest.param({"encoder": {"channels": 3} | IMAGENET}, id="three channels, each with numbers of its own"),
        pytest.param(
            {"corpora": ["made", "other"], "normalisation": {"other": {"mean": 0.2, "std": 0.7}}},
            id="a corpus with numbers of its own",
        ),
        pytest.param(
            {
                "encoder": {"channels": 3} | IMAGENET,
                "corpora": ["made", "other"],
                "normalisation": {"made": {"mean": 0.2, "std": 0.7}},
            },
            id="a corpus with numbers of its own, of three channels",
        ),
    ],
)
def test_a_perfect_prediction_looks_like_the_original(
    small_run: PretrainingSettings, changes: dict[str, Any], norm_pix: bool
) -> None:
    batch = images()
    pictures = reconstruct(Perfect(settings_of(small_run, norm_pix, **changes)).eval(), batch)
    original = batch.images.pixels[:, 0].numpy() / np.float32(255)
    np.testing.assert_allclose(pictures.original, original, atol=1e-6)
    np.testing.assert_allclose(pictures.reconstructed, original, atol=1e-5)


def test_what_was_hidden_is_nan_and_the_rest_is_the_original(small_run: PretrainingSettings) -> None:
    task, batch = MaskedAutoencoding(small_run).eval(), images()
    pictures = reconstruct(task, batch)
    hidden = torch.from_numpy(np.isnan(pictures.masked))
    patches = to_patches(hidden.unsqueeze(1), PATCH)
    assert torch.equal(patches.all(-1), patches.any(-1))
    assert patches.all(-1).sum(1).tolist() == [12] * 4  # of 16
    for i, masked in enumerate(task.predict_fixed(batch).masked):
        assert patches[i, :, 0].nonzero().flatten().tolist() == sorted(masked.tolist())
    visible = ~hidden.numpy()
    np.testing.assert_allclose(pictures.masked[visible], pictures.original[visible], atol=1e-6)
    np.testing.assert_allclose(pictures.reconstructed[visible], pictures.original[visible], atol=1e-6)


def test_with_normalised_targets_each_hidden_patch_has_the_mean_of_the_true_one(small_run: PretrainingSettings) -> None:
    class Blank(Perfect):
        def predict_fixed(self, batch: ImageBatch) -> MaskedPrediction:
            prediction = super().predict_fixed(batch)
            return prediction._replace(predicted=torch.zeros_like(prediction.predicted))

    pictures = reconstruct(Blank(settings_of(small_run, norm_pix=True)).eval(), images())
    hidden = np.isnan(pictures.masked)
    shown, true = (
        to_patches(torch.from_numpy(picture).unsqueeze(1), PATCH).mean(-1)
        for picture in (pictures.reconstructed, pictures.original)
    )
    torch.testing.assert_close(shown, true, rtol=0, atol=1e-5)
    assert pictures.reconstructed[hidden].std() < pictures.original[hidden].std()


def test_gray_values_stay_in_the_range_of_an_image(small_run: PretrainingSettings) -> None:
    class Glaring(Perfect):
        def predict_fixed(self, batch: ImageBatch) -> MaskedPrediction:
            prediction = super().predict_fixed(batch)
            return prediction._replace(predicted=prediction.predicted * 100)

    shown = reconstruct(Glaring(small_run).eval(), images()).reconstructed
    assert (shown.min(), shown.max()) == (0, 1)

"""Masked autoencoding as a task: augment, mask, reconstruct, compare."""

import torch
from torch import Tensor

from pipeline.batches.augmentation import augment, plain
from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import send
from pipeline.models.masked_autoencoder import MaskedAutoencoder, MaskedPrediction
from pipeline.records.randomness import keyed_uniforms
from pipeline.settings.methods import MaskedAutoencoderSettings
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.pretraining import PretrainingTask

_VARIANCE_EPSILON = 1e-6  # as the reference implementation, for patches of one gray value


class MaskedAutoencoding(PretrainingTask):
    """Reconstruct the masked patches of each image; training draws new crops and masks each epoch."""

    model: MaskedAutoencoder

    def __init__(self, settings: PretrainingSettings) -> None:
        """Build the model with weights drawn under the run's seed. Raises `TypeError` for another method's settings."""
        if not isinstance(settings.task, MaskedAutoencoderSettings):
            raise TypeError(f"a masked autoencoder cannot be built from settings of {settings.task.kind}")
        super().__init__(settings, MaskedAutoencoder(settings.encoder, settings.task, settings.seed))
        self.method = settings.task

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the training loss of a batch, over the share of its hidden patches that is kept, under `loss`."""
        batch = batch.to(self.device)
        side = self.settings.encoder.image_size
        images = augment(batch, self.settings.augmentation, self.settings.seed, side).images
        noise = mask_noise(batch, self.model.rows**2, self.settings.seed, "mask")
        return {"loss": self.reconstruction_loss(self._predict(images, batch, noise, self.model.kept))}

    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss without augmentation, under masks that stay the same for the whole run."""
        return {"loss": self.reconstruction_loss(self.predict_fixed(batch))}

    def predict_fixed(self, batch: ImageBatch) -> MaskedPrediction:
        """Return the prediction of all hidden patches without augmentation, under the fixed masks of validation."""
        noise = mask_noise(batch, self.model.rows**2, self.settings.seed, "validation mask")
        batch = batch.to(self.device)
        return self._predict(plain(batch, self.settings.encoder.image_size).images, batch, noise)

    def reconstruction_loss(self, prediction: MaskedPrediction) -> Tensor:
        """Return the mean squared error over all pixels of all predicted patches (spec Medical MAE A1).

        With `norm_pix`, each patch is measured by its own mean and its own standard deviation, of P - 1 degrees of
        freedom (He et al. 2022).
        """
        target = prediction.target
        if self.method.norm_pix:
            mean, variance = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
            target = (target - mean) / (variance + _VARIANCE_EPSILON).sqrt()
        return (prediction.predicted.float() - target).square().mean()

    def _predict(self, images: Tensor, batch: ImageBatch, noise: Tensor, kept: int | None = None) -> MaskedPrediction:
        prediction: MaskedPrediction = self.model(self.normalised(images, batch), send(noise, self.device), kept)
        return prediction


def mask_noise(batch: ImageBatch, patches: int, seed: int, purpose: str) -> Tensor:
    """Return uniform noise, float64 [B, patches], each row keyed by (seed, purpose, epoch, index) of its image."""
    return torch.from_numpy(keyed_uniforms(seed, purpose, batch.epochs, batch.indices, patches))

"""Masked autoencoding as a task: augment, mask, reconstruct, compare."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.batches.augment import augment, unit_pixels
from pipeline.batches.loader import ImageBatch
from pipeline.models.encoder import normalise
from pipeline.models.masked_autoencoder import MaskedAutoencoder, MaskedPrediction
from pipeline.records.randomness import keyed_generator
from pipeline.settings.pretraining import PretrainingSettings

_VARIANCE_EPSILON = 1e-6  # as the reference implementation, for patches of one gray value


class MaskedAutoencoding(nn.Module):
    """Reconstruct the masked patches of each image; training draws new crops and masks each epoch."""

    def __init__(self, settings: PretrainingSettings) -> None:
        """Build the model with weights drawn under the run's seed."""
        super().__init__()
        self.settings = settings
        self.model = MaskedAutoencoder(settings.encoder, settings.task, settings.seed)

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the training loss of a batch, a scalar under `loss`."""
        pixels = augment(batch, self.settings.augmentation, self.settings.seed)
        noise = mask_noise(batch, self.model.rows**2, self.settings.seed, "mask")
        return {"loss": self.reconstruction_loss(self._predict(pixels, noise))}

    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss without augmentation, under masks that stay the same for the whole run."""
        return {"loss": self.reconstruction_loss(self.predict_fixed(batch))}

    def predict_fixed(self, batch: ImageBatch) -> MaskedPrediction:
        """Return the prediction without augmentation, under the fixed masks of validation."""
        noise = mask_noise(batch, self.model.rows**2, self.settings.seed, "validation mask")
        return self._predict(unit_pixels(batch), noise)

    def reconstruction_loss(self, prediction: MaskedPrediction) -> Tensor:
        """Return the mean squared error over all pixels of all masked patches."""
        target = prediction.target
        if self.settings.task.norm_pix:
            mean, variance = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
            target = (target - mean) / (variance + _VARIANCE_EPSILON).sqrt()
        return (prediction.predicted.float() - target).square().mean()

    def _predict(self, pixels: Tensor, noise: Tensor) -> MaskedPrediction:
        device = self.model.decoder.mask_token.device
        images = normalise(pixels.to(device), self.settings.encoder)
        prediction: MaskedPrediction = self.model(images, noise.to(device))
        return prediction


def mask_noise(batch: ImageBatch, patches: int, seed: int, purpose: str) -> Tensor:
    """Return uniform noise [B, patches], each row keyed by (seed, purpose, epoch, index) of its image."""
    rows: list[NDArray[np.float64]] = [
        keyed_generator(seed, purpose, int(epoch), int(index)).random(patches)
        for epoch, index in zip(batch.epochs, batch.indices, strict=True)
    ]
    return torch.from_numpy(np.stack(rows))

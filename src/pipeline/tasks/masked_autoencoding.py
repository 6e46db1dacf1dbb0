"""Masked autoencoding as a task: augment, mask, reconstruct, compare."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from pipeline.batches.augmentation import augment, plain
from pipeline.batches.batch import IMAGES_ONLY, Companions, ImageBatch
from pipeline.models.encoder import normalise
from pipeline.models.layers import layer_numbers
from pipeline.models.masked_autoencoder import MaskedAutoencoder, MaskedPrediction
from pipeline.records.randomness import keyed_uniforms
from pipeline.settings.pretraining import PretrainingSettings

_VARIANCE_EPSILON = 1e-6  # as the reference implementation, for patches of one gray value


class MaskedAutoencoding(nn.Module):
    """Reconstruct the masked patches of each image; training draws new crops and masks each epoch."""

    companions: ClassVar[Companions] = IMAGES_ONLY
    """What is read beside the images."""

    def __init__(self, settings: PretrainingSettings) -> None:
        """Build the model with weights drawn under the run's seed."""
        super().__init__()
        self.settings = settings
        self.model = MaskedAutoencoder(settings.encoder, settings.task, settings.seed)

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the training loss of a batch, a scalar under `loss`."""
        batch = batch.to(self._device)
        side = self.settings.encoder.image_size
        images = augment(batch, self.settings.augmentation, self.settings.seed, side).images
        noise = mask_noise(batch, self.model.rows**2, self.settings.seed, "mask")
        return {"loss": self.reconstruction_loss(self._predict(images, noise))}

    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss without augmentation, under masks that stay the same for the whole run."""
        return {"loss": self.reconstruction_loss(self.predict_fixed(batch))}

    def layers(self) -> dict[str, int]:
        """Return the number of the layer of each parameter, by name; the decoder is one more than the last block."""
        names = (name for name, _ in self.named_parameters())
        return layer_numbers(names, "model.encoder.", len(self.model.encoder.blocks))

    def predict_fixed(self, batch: ImageBatch) -> MaskedPrediction:
        """Return the prediction without augmentation, under the fixed masks of validation."""
        noise = mask_noise(batch, self.model.rows**2, self.settings.seed, "validation mask")
        return self._predict(plain(batch.to(self._device), self.settings.encoder.image_size).images, noise)

    def reconstruction_loss(self, prediction: MaskedPrediction) -> Tensor:
        """Return the mean squared error over all pixels of all masked patches."""
        target = prediction.target
        if self.settings.task.norm_pix:
            mean, variance = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
            target = (target - mean) / (variance + _VARIANCE_EPSILON).sqrt()
        return (prediction.predicted.float() - target).square().mean()

    @property
    def _device(self) -> torch.device:
        return self.model.decoder.mask_token.device

    def _predict(self, images: Tensor, noise: Tensor) -> MaskedPrediction:
        if self._device.type == "cuda":
            noise = noise.pin_memory()  # else the copy would wait for the step before
        noise = noise.to(self._device, non_blocking=True)
        prediction: MaskedPrediction = self.model(normalise(images, self.settings.encoder), noise)
        return prediction


def mask_noise(batch: ImageBatch, patches: int, seed: int, purpose: str) -> Tensor:
    """Return uniform noise, float64 [B, patches], each row keyed by (seed, purpose, epoch, index) of its image."""
    return torch.from_numpy(keyed_uniforms(seed, purpose, batch.epochs, batch.indices, patches))

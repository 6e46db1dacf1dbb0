"""What a masked autoencoder saw, what it made of it, and the truth, as pictures."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.batches.augmentation import plain
from pipeline.batches.batch import ImageBatch
from pipeline.models.patches import to_images, to_patches
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding


@dataclass(frozen=True)
class Reconstruction:
    """Hold pictures [N, H, W], float32, 0.0 (black) to 1.0 (white)."""

    original: NDArray[np.float32]
    masked: NDArray[np.float32]
    """The original, with NaN where it was hidden."""
    reconstructed: NDArray[np.float32]
    """Predicted where hidden, the original elsewhere."""


@torch.no_grad()
def reconstruct(task: MaskedAutoencoding, batch: ImageBatch) -> Reconstruction:
    """Reconstruct a batch under the fixed masks of validation.

    With normalised targets each predicted patch gets the mean and variance of the true one, which
    the model was never asked to know.
    """
    encoder = task.settings.encoder
    prediction = task.predict_fixed(batch)
    predicted = prediction.predicted.float()
    if task.settings.task.norm_pix:
        target = prediction.target
        predicted = predicted * target.var(-1, keepdim=True).sqrt() + target.mean(-1, keepdim=True)
    pixels = (predicted * encoder.std + encoder.mean).clamp(0, 1)
    original = plain(batch, encoder.image_size).images.to(pixels.device)
    patches = to_patches(original.expand(-1, encoder.channels, -1, -1), encoder.patch_size)
    places = prediction.masked.unsqueeze(-1).expand_as(pixels)

    def picture(hidden: Tensor) -> NDArray[np.float32]:
        filled = patches.scatter(1, places, hidden)
        return to_images(filled, encoder.patch_size, encoder.channels)[:, 0].cpu().numpy()

    return Reconstruction(original[:, 0].cpu().numpy(), picture(torch.full_like(pixels, math.nan)), picture(pixels))

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
    """Reconstruct a batch under the fixed masks of validation; of a model of three channels, the first is shown.

    With normalised targets each predicted patch gets the mean and variance of the true one, which
    the model was never asked to know.
    """
    encoder = task.settings.encoder
    prediction = task.predict_fixed(batch)
    predicted = prediction.predicted.float()
    if task.method.norm_pix:
        target = prediction.target
        predicted = predicted * target.var(-1, keepdim=True).sqrt() + target.mean(-1, keepdim=True)
    original = plain(batch, encoder.image_size).images.to(predicted.device)
    patches = to_patches(task.normalised(original, batch), encoder.patch_size)
    places = prediction.masked.unsqueeze(-1).expand_as(predicted)

    def picture(hidden: Tensor) -> NDArray[np.float32]:
        filled = patches.scatter(1, places, hidden)
        return _gray(task, batch, to_images(filled, encoder.patch_size, encoder.channels))

    masked = picture(torch.full_like(predicted, math.nan))
    return Reconstruction(original[:, 0].cpu().numpy(), masked, picture(predicted))


def _gray(task: MaskedAutoencoding, batch: ImageBatch, normalised: Tensor) -> NDArray[np.float32]:
    """Return gray values [B, H, W] of the first channel of the model's input, of images or predictions alike."""
    ends = normalised.new_tensor([0.0, 1.0]).expand(len(batch), 1, 1, 2)
    black, white = task.normalised(ends, batch)[:, 0].chunk(2, dim=-1)
    gray: NDArray[np.float32] = ((normalised[:, 0] - black) / (white - black)).clamp(0, 1).cpu().numpy()
    return gray

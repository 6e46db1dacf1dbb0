"""Random crops and flips of a batch, drawn per image from its key."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.batches.loader import ImageBatch
from pipeline.records.randomness import keyed_generator
from pipeline.settings.pretraining import AugmentationSettings

_TRIES = 10  # as the usual RandomResizedCrop: draws that do not fit the image are drawn again


def unit_pixels(batch: ImageBatch) -> Tensor:
    """Return the batch as float32 [B, 1, side, side], 0.0 (black) to 1.0 (white)."""
    return batch.pixels.float() / 255


def augment(batch: ImageBatch, settings: AugmentationSettings, seed: int) -> Tensor:
    """Return a randomly cropped and flipped batch, float32 [B, 1, side, side], 0.0 to 1.0.

    Each image's crop and flip depend on (seed, epoch, index) alone.
    """
    draws = [
        _draw(settings, seed, int(epoch), int(index)) for epoch, index in zip(batch.epochs, batch.indices, strict=True)
    ]
    affine = torch.from_numpy(np.stack(draws))
    pixels = unit_pixels(batch)
    grid = functional.affine_grid(affine, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _draw(settings: AugmentationSettings, seed: int, epoch: int, index: int) -> NDArray[np.float32]:
    """Return one image's sampling transform [2, 3] in the coordinates -1..1 of `grid_sample`."""
    generator = keyed_generator(seed, "augmentation", epoch, index)
    width, height = _crop_size(settings, generator)
    left, top = generator.uniform(0, 1 - width), generator.uniform(0, 1 - height)
    mirrored = -1.0 if settings.flip and generator.random() < 0.5 else 1.0
    centre_x, centre_y = 2 * left + width - 1, 2 * top + height - 1
    return np.array([[mirrored * width, 0, centre_x], [0, height, centre_y]], dtype=np.float32)


def _crop_size(settings: AugmentationSettings, generator: np.random.Generator) -> tuple[float, float]:
    """Draw width and height of a crop as shares of the image's sides."""
    areas = generator.uniform(*settings.crop_scale, size=_TRIES)
    narrowest, widest = settings.crop_ratio
    ratios = np.exp(generator.uniform(math.log(narrowest), math.log(widest), size=_TRIES))
    widths, heights = np.sqrt(areas * ratios), np.sqrt(areas / ratios)
    fitting = np.flatnonzero((widths <= 1) & (heights <= 1))
    return (float(widths[fitting[0]]), float(heights[fitting[0]])) if fitting.size else (1.0, 1.0)

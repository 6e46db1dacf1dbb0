"""The random numbers of a batch, each image's its own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.records.randomness import keyed_uniforms

Uniforms = NDArray[np.float64]
"""Numbers in [0, 1), or what they were turned into, one per image or more."""


@dataclass(frozen=True)
class Draws:
    """Draw for the images of one batch; a row depends on the seed and on its image's epoch and index alone."""

    seed: int
    epochs: NDArray[np.int64]
    """[B], epoch each image belongs to."""
    indices: NDArray[np.int64]
    """[B], position of each image among the samples."""

    def columns(self, purpose: str, count: int) -> Uniforms:
        """Return `count` columns of uniform numbers for one purpose, [count, B]."""
        return keyed_uniforms(self.seed, purpose, self.epochs, self.indices, count).T


def between(uniforms: Uniforms, bounds: tuple[float, float]) -> Uniforms:
    """Spread uniform numbers evenly over a range."""
    return bounds[0] + uniforms * (bounds[1] - bounds[0])


def around(uniforms: Uniforms, centre: float, reach: float) -> Uniforms:
    """Spread uniform numbers evenly over centre - reach to centre + reach."""
    return between(uniforms, (centre - reach, centre + reach))


def between_in_ratio(uniforms: Uniforms, bounds: tuple[float, float]) -> Uniforms:
    """Spread uniform numbers over a range of positive numbers such that doubling is as likely as halving."""
    return np.exp(between(uniforms, (float(np.log(bounds[0])), float(np.log(bounds[1])))))


def per_image(values: Uniforms, images: Tensor) -> Tensor:
    """Return one value per image as float32 [B, 1, 1, 1] beside the images."""
    return torch.from_numpy(values).float().to(images.device, non_blocking=True).view(-1, 1, 1, 1)


def change_some(images: Tensor, chosen: NDArray[np.bool_], change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the images [B, ...] with those that are chosen [B] put through `change`, the others untouched."""
    if not chosen.any():
        return images
    places = torch.from_numpy(np.flatnonzero(chosen)).to(images.device, non_blocking=True)
    return images.index_copy(0, places, change(images.index_select(0, places)))

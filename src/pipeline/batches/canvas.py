"""Planes while they are being painted."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.batches.memory import Memory
from pipeline.batches.planes import Planes
from pipeline.shards.gray import GrayImage

Image = Sequence[GrayImage | None]
"""The channels of one image; None for one that is 0 everywhere."""


class Canvas:
    """Take images into their places, from several threads as long as no two share a place.

    It is as large as the sizes that are foreseen. An image that turns out otherwise, as where a
    decoder knows no fractions, is kept aside and the canvas made anew at the end.
    """

    def __init__(self, memory: Memory, foreseen: NDArray[np.int64], channels: int) -> None:
        """Take memory for images of the sizes that are foreseen, height and width [B, 2]."""
        self.memory = memory
        self.sizes = foreseen.copy()
        self._pixels = self._blank(channels)
        self._view = self._pixels.numpy()
        self._outsized: dict[int, Image] = {}

    def paint(self, place: int, image: Image, size: tuple[int, int]) -> None:
        """Put an image of height and width `size` into its place."""
        self.sizes[place] = size
        if size[0] > self._view.shape[2] or size[1] > self._view.shape[3]:
            self._outsized[place] = image
        else:
            _paint(self._view[place], image, size)

    def finish(self) -> Planes:
        """Return the planes, no larger than their largest image."""
        if tuple(self.sizes.max(axis=0)) != self._pixels.shape[2:]:
            self._pixels = self._repainted()
        return Planes.unreduced(self._pixels, torch.from_numpy(self.sizes))

    def _repainted(self) -> Tensor:
        pixels = self._blank(self._pixels.shape[1])
        for place, (height, width) in enumerate(self.sizes.tolist()):
            painted = self._view[place, :, :height, :width]
            _paint(pixels.numpy()[place], self._outsized.get(place, tuple(painted)), (height, width))
        return pixels

    def _blank(self, channels: int) -> Tensor:
        height, width = self.sizes.max(axis=0).tolist()
        return self.memory.tensor((len(self.sizes), channels, height, width))


def _paint(place: NDArray[np.uint8], image: Image, size: tuple[int, int]) -> None:
    height, width = size
    place[:, height:] = 0
    place[:, :height, width:] = 0
    for channel, pixels in zip(place, image, strict=True):
        channel[:height, :width] = 0 if pixels is None else pixels

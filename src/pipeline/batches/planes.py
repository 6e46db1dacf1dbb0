"""Images of several sizes in one tensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Planes:
    """Hold 8-bit images as they are stored, each in the upper left corner of its place in one tensor."""

    pixels: Tensor
    """uint8 [B, C, H, W], 0 (black) to 255 (white); 0 below and right of an image."""
    sizes: Tensor
    """int64 [B, 2], height and width of each image, pixels."""

    def to(self, device: torch.device) -> Planes:
        """Return the planes on a device, from pinned memory without waiting.

        Sizes stay where they are: on the CPU they say how to resample without asking the device back.
        """
        return Planes(self.pixels.to(device, non_blocking=True), self.sizes)

    def pin(self) -> Planes:
        """Return the planes in page-locked memory, from where a GPU copies on its own."""
        return Planes(self.pixels.pin_memory(), self.sizes)

    def part(self, places: slice) -> Planes:
        """Return some images, in places as large as the largest of them."""
        sizes = self.sizes[places]
        height, width = sizes.amax(0).tolist()
        return Planes(self.pixels[places, :, :height, :width], sizes)

    @classmethod
    def of(cls, pixels: Tensor) -> Planes:
        """Return planes of images that all fill their place, uint8 [B, C, H, W]."""
        count, _, height, width = pixels.shape
        return cls(pixels, torch.tensor([[height, width]], device=pixels.device).expand(count, 2))

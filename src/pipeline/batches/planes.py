"""Images of several sizes in one tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Planes:
    """Hold 8-bit images as they are stored, each in the upper left corner of its place in one tensor."""

    pixels: Tensor
    """uint8 [B, C, H, W], 0 (black) to 255 (white); 0 below and right of an image."""
    sizes: Tensor
    """int64 [B, 2] on the CPU, height and width of each image, pixels."""
    extents: Tensor
    """float64 [B, 2] on the CPU, height and width of each picture in the same pixels: less than the size by a part of
    a pixel where the image was decoded at a fraction and rounded up."""

    def to(self, device: torch.device) -> Planes:
        """Return the planes on a device, sent without waiting.

        Sizes stay where they are: on the CPU they say how to resample without asking the device back.
        """
        return replace(self, pixels=send(self.pixels, device))

    def part(self, places: slice) -> Planes:
        """Return some images, in places as large as the largest of them."""
        sizes = self.sizes[places]
        height, width = sizes.amax(0).tolist()
        return Planes(self.pixels[places, :, :height, :width], sizes, self.extents[places])

    @classmethod
    def of(cls, pixels: Tensor) -> Planes:
        """Return planes of images that all fill their place, uint8 [B, C, H, W]."""
        count, _, height, width = pixels.shape
        return cls.unreduced(pixels, torch.tensor([[height, width]]).expand(count, 2))

    @classmethod
    def unreduced(cls, pixels: Tensor, sizes: Tensor) -> Planes:
        """Return planes of images of some sizes [B, 2] that were decoded whole."""
        return cls(pixels, sizes, sizes.double())


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device without waiting; a GPU copies from page-locked memory on its own."""
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)

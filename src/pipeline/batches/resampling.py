"""One antialiased resampling from images of several sizes to the network's square."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.batches.planes import Planes

Interpolation = Literal["nearest", "bilinear", "bicubic"]

_AT_ONCE_ON_CPU = 32
"""Images that a CPU resamples at once: few enough for its cache, each no wider than these few need."""

_AT_ONCE_ON_GPU = 256
"""Images that a GPU resamples at once: enough to keep it busy, few enough for one odd film to widen only these."""

_SLACK = 1e-6
"""Pixels by which a window's edge may miss the pixel edge it stands for, since shares are rounded."""


@dataclass(frozen=True)
class Windows:
    """Say which part of each image becomes the square, as shares of the image's sides."""

    left: Tensor
    """float64 [B], distance from the image's left edge, 0.0 to 1.0."""
    top: Tensor
    """float64 [B], distance from the image's upper edge, 0.0 to 1.0."""
    width: Tensor
    """float64 [B], above 0.0; left + width is at most 1.0."""
    height: Tensor
    """float64 [B], above 0.0; top + height is at most 1.0."""
    mirrored: Tensor
    """bool [B], whether left and right are swapped."""

    @classmethod
    def whole(cls, count: int) -> Windows:
        """Return the windows that are `count` images themselves."""
        zeros, ones = torch.zeros(count, dtype=torch.float64), torch.ones(count, dtype=torch.float64)
        return cls(zeros, zeros, ones, ones, torch.zeros(count, dtype=torch.bool))

    def part(self, places: slice) -> Windows:
        """Return the windows of some images."""
        return Windows(
            self.left[places], self.top[places], self.width[places], self.height[places], self.mirrored[places]
        )


@dataclass(frozen=True)
class Taps:
    """Say which rows of an image make each row of the result, and how much each counts."""

    rows: Tensor
    """int64 [B, R, K]."""
    weights: Tensor
    """float32 [B, R, K]."""


def resample(planes: Planes, windows: Windows, side: int, interpolation: Interpolation) -> Tensor:
    """Resize each image's window to a square, float32 [B, C, side, side], 0.0 (black) to 1.0 (white).

    Filters are antialiased, and pixels outside a window do not count, as in torchvision's `resized_crop`; `nearest`
    takes the pixel under each centre. An image's result does not depend on the others of its batch.
    """
    at_once = _AT_ONCE_ON_CPU if planes.pixels.device.type == "cpu" else _AT_ONCE_ON_GPU
    parts = [slice(start, start + at_once) for start in range(0, len(planes.sizes), at_once)]
    return torch.cat([_resample(planes.part(part), windows.part(part), side, interpolation) for part in parts])


def _resample(planes: Planes, windows: Windows, side: int, interpolation: Interpolation) -> Tensor:
    heights, widths = planes.extents.unbind(1)
    upright = torch.zeros_like(windows.mirrored)
    vertical = _Span(windows.top * heights, windows.height * heights, upright, planes.pixels.device)
    horizontal = _Span(windows.left * widths, windows.width * widths, windows.mirrored, planes.pixels.device)
    if interpolation == "nearest":
        return _pick(planes.pixels, vertical.nearest(side), horizontal.nearest(side)).float() / 255
    lines = combine_rows(planes.pixels.float(), _taps(vertical, side, interpolation))
    columns = combine_rows(lines.transpose(2, 3), _taps(horizontal, side, interpolation))
    return (columns.transpose(2, 3) / 255).clamp_(0, 1).contiguous()


def combine_rows(planes: Tensor, taps: Taps) -> Tensor:
    """Return the weighted sums [B, C, R, W] of rows of float32 planes [B, C, H, W].

    Each sum runs over its few taps only, in float32 under any precision of matrix products. As a product with a
    matrix [R, H], most of which is zeros, it would take three times as long on CPUs.
    """
    batch, channels, height, width = planes.shape
    results, reach = taps.rows.shape[1:]
    first = torch.arange(batch * channels, device=planes.device).view(batch, channels, 1, 1) * height
    rows = (taps.rows.unsqueeze(1) + first).view(-1, reach)
    weights = taps.weights.unsqueeze(1).expand(-1, channels, -1, -1).reshape(-1, reach)
    table = planes.reshape(-1, width)
    summed = functional.embedding_bag(rows, table, mode="sum", per_sample_weights=weights)
    return summed.view(batch, channels, results, width)


class _Span:
    """Hold the windows' extent along one axis, in pixels, on the device where the taps are computed."""

    def __init__(self, start: Tensor, length: Tensor, mirrored: Tensor, device: torch.device) -> None:
        self.longest = float(length.max())  # read before the tensors leave, so that no device is waited for
        self.start, self.length, self.mirrored = (
            part.to(device, non_blocking=True).view(-1, 1) for part in (start, length, mirrored)
        )

    def centres(self, side: int) -> Tensor:
        """Return where the centre of each of `side` result pixels falls, float64 [B, side]."""
        steps = torch.arange(side, device=self.start.device)
        steps = torch.where(self.mirrored, side - 1 - steps, steps)
        return self.start + (steps + 0.5) * (self.length / side)

    def nearest(self, side: int) -> Tensor:
        """Return the pixel under the centre of each of `side` result pixels, int64 [B, side]."""
        pixels, _ = self.inside((self.centres(side) + _SLACK).floor().long().unsqueeze(-1))
        return pixels.squeeze(-1)

    def inside(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pixels [B, R, K] moved into the window, and whether they were there already."""
        first = (self.start + _SLACK).floor().long().unsqueeze(-1)
        last = (self.start + self.length - _SLACK).ceil().long().unsqueeze(-1) - 1
        return pixels.clamp(first, last), (pixels >= first) & (pixels <= last)


def _pick(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the pixels of [B, C, H, W] at rows [B, R] and columns [B, S], [B, C, R, S]."""
    image = torch.arange(len(pixels), device=pixels.device).view(-1, 1, 1)
    return pixels[image, :, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2).contiguous()


def _taps(span: _Span, side: int, interpolation: Literal["bilinear", "bicubic"]) -> Taps:
    centres = span.centres(side).unsqueeze(-1)
    radius, curve = _FILTERS[interpolation]
    stretch = (span.length / side).clamp(min=1).unsqueeze(-1)
    reach = math.ceil(2 * radius * max(span.longest / side, 1))
    first = (centres - radius * stretch + 0.5).floor().long()
    rows, counts = span.inside(first + torch.arange(reach, device=first.device))
    distances = (first + torch.arange(reach, device=first.device) + 0.5 - centres).abs() / stretch
    weights = curve(distances) * counts
    return Taps(rows, (weights / weights.sum(-1, keepdim=True)).float())


def _triangle(distance: Tensor) -> Tensor:
    return (1 - distance).clamp(min=0)


def _cubic(distance: Tensor) -> Tensor:
    """Evaluate the cubic convolution kernel with a = -0.5 (Keys 1981)."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((2.5 - 0.5 * distance) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))


_FILTERS: dict[str, tuple[int, Callable[[Tensor], Tensor]]] = {"bilinear": (1, _triangle), "bicubic": (2, _cubic)}
"""Radius of each filter in pixels of the coarser grid, and its curve over the distance."""

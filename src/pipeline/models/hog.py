"""Histograms of oriented gradients of whole batches, at several scales in one pass (spec CXR-MIM B5).

Dalal and Triggs 2005, without block normalisation, as masked image modelling predicts them (Wei et al. 2022).
Gradients are binned once, for the finest cells; coarser cells pool finer ones. There is no scatter: on a GPU it
would add in any order, or sort millions of pixels first, and on a CPU it is no faster.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Binning = Literal["linear", "hard"]

_AT_ONCE_ON_CPU = 4
"""Images that a CPU takes at once: few enough for its cache, enough to make up for the calls."""

_AT_ONCE_ON_GPU = 256
"""Images that a GPU takes at once: enough to keep it busy, few enough for large batches to fit in its memory."""

_FAINTEST = 1e-5
"""Length below which a histogram is not stretched to 1: half of what one pixel that differs by one of 255 gray levels
leaves in a cell of 32 x 32, and more than float32 rounding leaves where there is no gradient at all."""


@torch.no_grad()
def hog_pyramid(images: Tensor, orientations: int, binning: Binning, cells: Sequence[int]) -> list[Tensor]:
    """Return the histograms of images [B, 1, H, W] for each cell side, as `histograms` does, in its number format.

    A brightness added to an image changes nothing, nor does a contrast, so that channels which are multiples of each
    other have equal histograms (spec CXR-MIM B6.4). Autocast has no part in it.
    """
    at_once = _AT_ONCE_ON_CPU if images.device.type == "cpu" else _AT_ONCE_ON_GPU
    with torch.autocast(images.device.type, enabled=False):
        exact = images.double() if images.dtype == torch.float64 else images.float()
        parts = [histograms(*gradients(part), orientations, binning, cells) for part in torch.split(exact, at_once)]
    return [torch.cat(of_cell) for of_cell in zip(*parts, strict=True)]


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the horizontal and the vertical Sobel gradient of images [B, 1, H, W], same shape each.

    They point to where it gets darker, and images are mirrored at their edges, so that the border's gradient across
    the edge is 0.
    """
    framed = functional.pad(images, (1, 1, 1, 1), mode="reflect")
    across = framed[..., :-2] - framed[..., 2:]
    down = framed[..., :-2, :] - framed[..., 2:, :]
    # Smoothing by 1, 2, 1 is adding neighbours twice.
    across = across[..., 1:, :] + across[..., :-1, :]
    down = down[..., 1:] + down[..., :-1]
    return across[..., 1:, :] + across[..., :-1, :], down[..., 1:] + down[..., :-1]


def histograms(
    horizontal: Tensor, vertical: Tensor, orientations: int, binning: Binning, cells: Sequence[int]
) -> list[Tensor]:
    """Count the gradients of each cell by orientation, weighted by magnitude, each histogram of length 1 (L2) or 0.

    Args:
        horizontal: Gradients [B, 1, H, W].
        vertical: Gradients [B, 1, H, W]. Orientation is the angle from the horizontal, over half a turn.
        orientations: Number of bins.
        binning: `linear` shares a gradient between the two nearest bins, whose centres lie at multiples of their
            width; `hard` gives it to one, whose lower edge lies there.
        cells: Sides of the square cells, pixels; each divides the next larger one, and that the image.

    Returns:
        For each of `cells`, in their order, [B, rows * columns, orientations], row by row.
    """
    sides = sorted(cells)
    _require_tiling(sides, *horizontal.shape[-2:])
    finest = _finest_cells(horizontal, vertical, sides[0], _BINNINGS[binning], orientations)
    pooled = {sides[0]: finest}
    for finer, coarser in pairwise(sides):
        pooled[coarser] = functional.avg_pool2d(pooled[finer], coarser // finer)
    return [_normalised(pooled[side]) for side in cells]


def _require_tiling(sides: list[int], height: int, width: int) -> None:
    for finer, coarser in pairwise(sides):
        if coarser % finer:
            raise ValueError(f"cells of {finer} pixels do not tile cells of {coarser} pixels")
    if height % sides[-1] or width % sides[-1]:
        raise ValueError(f"cells of {sides[-1]} pixels do not tile images of {height} x {width} pixels")


def _finest_cells(horizontal: Tensor, vertical: Tensor, side: int, count: "_Count", orientations: int) -> Tensor:
    """Return the mean over each cell of every bin's share, [orientations, B, rows, columns]."""
    batch, _, height, width = horizontal.shape
    magnitudes = _pixels_of_cells(torch.hypot(horizontal, vertical), side)
    # The remainder comes first: half a turn becomes exactly 0, as scaled by 1 / pi it need not.
    angles = torch.atan2(vertical, horizontal).remainder_(math.pi)
    places = _pixels_of_cells(angles.mul_(orientations / math.pi), side)
    sums = count(magnitudes, places, orientations)
    return sums.div_(side**2).view(orientations, batch, height // side, width // side)


def _pixels_of_cells(plane: Tensor, side: int) -> Tensor:
    """Bring [B, 1, H, W] into [side * side, B * cells], so that a sum over a cell adds contiguous memory."""
    batch, _, height, width = plane.shape
    tiles = plane.view(batch, height // side, side, width // side, side)
    return tiles.permute(2, 4, 0, 1, 3).reshape(side**2, -1)


def _count_linear(magnitudes: Tensor, places: Tensor, orientations: int) -> Tensor:
    """Share magnitudes [side * side, cells] between the bins around their places, 0 to `orientations`."""
    above = [(places - centre).clamp_(0, 1).mul_(magnitudes).sum(0) for centre in range(orientations)]
    sums = _differences([magnitudes.sum(0), *above])
    sums[0] += sums[-1]  # a whole turn of the bins
    return sums[:-1]


def _count_hard(magnitudes: Tensor, places: Tensor, orientations: int) -> Tensor:
    """Give magnitudes [side * side, cells] to the bin whose lower edge is next below their places."""
    above = [(places - edge).ge_(0).mul_(magnitudes).sum(0) for edge in range(1, orientations)]
    return _differences([magnitudes.sum(0), *above])


def _differences(above: list[Tensor]) -> Tensor:
    """Turn what lies above each of n edges into what lies between neighbours, the last without an end, [n, cells]."""
    return torch.stack([*(lower - upper for lower, upper in pairwise(above)), above[-1]])


def _normalised(pooled: Tensor) -> Tensor:
    """Bring [orientations, B, rows, columns] into [B, rows * columns, orientations], each histogram of length 1."""
    lengths = pooled.square().sum(0).sqrt_().clamp_(min=_FAINTEST)
    return (pooled / lengths).permute(1, 2, 3, 0).flatten(1, 2)


_Count = Callable[[Tensor, Tensor, int], Tensor]
_BINNINGS: dict[Binning, _Count] = {"linear": _count_linear, "hard": _count_hard}
"""How gradients are given to bins."""

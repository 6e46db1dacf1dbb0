"""How much each cell of a pyramid counts in the loss, given what is hidden and where a reader looked.

A scale is the number of cells per patch along each side: 4, 2, 1 or 0.5. Shapes: B images, R rows of patches, C cells
of a scale, (R * scale)^2 of them, row by row; S pixels along each side of an image.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.settings.methods import CxrMimSettings


def hidden_share(hidden: Tensor, scale: float) -> Tensor:
    """Return the share of each cell that is hidden, float32 [B, C], given the hidden patches, bool [B, R, R].

    It is 0 or 1 where cells are no larger than patches, and a mean over 2 * 2 patches at scale 0.5 (spec CXR-MIM B5).
    """
    share = hidden.float()
    if scale < 1:
        return functional.avg_pool2d(share, round(1 / scale)).flatten(1)
    repeats = round(scale)
    return share.repeat_interleave(repeats, dim=1).repeat_interleave(repeats, dim=2).flatten(1)


def cell_weights(hidden: Tensor, gaze: Tensor | None, cell: int, scale: float, settings: CxrMimSettings) -> Tensor:
    """Return the weight of each cell of a scale in the loss, float32 [B, C] (spec CXR-MIM B5, B6.3).

    With m the hidden share of a cell, g its mean gaze, n the sum of m over an image, t the temperature:

    - `off`: m.
    - `published`: m + softmax(m * g / t) over all cells, the visible ones among them.
    - `rescaled`: m * (1 + strength * n * exp(g / t) / z), z the sum of m * exp(g / t) over the image.

    The weights of an image sum to n, n + 1 or n * (1 + strength), whatever is hidden and looked at, since as much is
    hidden in every image: so the loss of a batch is the mean of those of its parts, however it is cut. Weights are
    `rescaled` to a multiple of those that are `off` in an image without gaze.

    Args:
        hidden: bool [B, R, R], whether each patch is hidden, the same number in each image.
        gaze: float32 [B, 1, S, S], 0.0 to 1.0, 0 everywhere without gaze; None for weights that are `off`.
        cell: Side of a cell, pixels.
        scale: The scale.
        settings: How gaze counts.
    """
    share = hidden_share(hidden, scale)
    if gaze is None or settings.gaze_weighting == "off":
        return share
    looked = functional.avg_pool2d(gaze, cell).flatten(1) / settings.gaze_temperature
    if settings.gaze_weighting == "published":
        return share + (share * looked).softmax(1)
    emphasis = (looked + share.log()).softmax(1)  # no weight where nothing is hidden: the logarithm is -inf there
    return share + settings.gaze_strength * share.sum(1, keepdim=True) * emphasis


def hidden_patches(masked: Tensor, rows: int) -> Tensor:
    """Return whether each patch is hidden, bool [B, R, R], given the hidden ones, int64 [B, M]."""
    hidden = torch.zeros(len(masked), rows**2, dtype=torch.bool, device=masked.device)
    return hidden.scatter(1, masked, True).view(-1, rows, rows)

"""Gaussian blur."""

import math

import torch
from torch import Tensor

from pipeline.batches.augmentation.draws import Draws, between, change_some, per_image
from pipeline.batches.resampling import Taps, combine_rows
from pipeline.settings.augmentation import BlurSettings

_REACH = 4  # standard deviations beyond which a Gaussian's weights would not change a gray level


def blur(images: Tensor, settings: BlurSettings, draws: Draws) -> Tensor:
    """Blur some images [B, 1, S, S], each by a Gaussian of its own; pixels of the edge stand for those beyond it."""
    chance, width = draws.columns("blur", 2)
    chosen = chance < settings.probability
    sigma = between(width[chosen], settings.sigma)

    def change(some: Tensor) -> Tensor:
        taps = _gaussian(per_image(sigma, some), some.shape[-1], math.ceil(_REACH * settings.sigma[1]))
        lines = combine_rows(some, taps)
        return combine_rows(lines.transpose(2, 3), taps).transpose(2, 3).clamp(0, 1)

    return change_some(images, chosen, change)


def _gaussian(sigma: Tensor, side: int, reach: int) -> Taps:
    offsets = torch.arange(-reach, reach + 1, device=sigma.device)
    weights = torch.softmax(-(offsets / sigma.view(-1, 1, 1)).square() / 2, dim=-1)  # [B, 1, K]
    rows = (torch.arange(side, device=sigma.device).unsqueeze(1) + offsets).clamp(0, side - 1)
    return Taps(rows.expand(len(sigma), -1, -1), weights.expand(-1, side, -1))

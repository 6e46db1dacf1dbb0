"""Random erasing."""

import numpy as np
import torch
from torch import Tensor

from pipeline.batches.augmentation.draws import Draws, Uniforms, between, between_in_ratio, change_some, per_image
from pipeline.settings.augmentation import ErasingSettings


def erase(images: Tensor, settings: ErasingSettings, draws: Draws) -> Tensor:
    """Paint a rectangle of some images [B, 1, S, S] in the image's mean gray (Zhong et al. 2020).

    A ratio at which the area does not fit into the square becomes the nearest at which it does.
    """
    chance, *rest = draws.columns("erasing", 5)
    chosen = chance < settings.probability
    share, shape, x, y = (column[chosen] for column in rest)
    area = between(share, settings.area)
    with np.errstate(divide="ignore"):
        ratio = np.clip(between_in_ratio(shape, settings.ratio), area, 1 / area)
    width, height = np.sqrt(area * ratio), np.sqrt(area / ratio)
    left, top = x * (1 - width), y * (1 - height)

    def change(some: Tensor) -> Tensor:
        across = _between_edges(some, left, width).unsqueeze(2)
        down = _between_edges(some, top, height).unsqueeze(3)
        return torch.where(across & down, some.mean((1, 2, 3), keepdim=True), some)

    return change_some(images, chosen, change)


def _between_edges(images: Tensor, start: Uniforms, length: Uniforms) -> Tensor:
    """Return which pixels of an axis have their centre inside, bool [B, 1, S]."""
    side = images.shape[-1]
    centres = (torch.arange(side, device=images.device) + 0.5) / side
    first, last = per_image(start, images).squeeze(3), per_image(start + length, images).squeeze(3)
    return (centres >= first) & (centres < last)

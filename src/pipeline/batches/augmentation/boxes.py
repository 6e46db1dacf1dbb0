"""Boxes that move with their image."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pipeline.batches.batch import Boxes
from pipeline.batches.resampling import Windows


@dataclass(frozen=True)
class MovedBoxes(Boxes):
    """Hold boxes as shares of the network's square; one that left it is kept, empty, at the edge it left by."""

    visible: Tensor
    """float32 [N], share of each box's area that is still inside, 0.0 to 1.0; 0.0 for a box without area."""


def crop_boxes(boxes: Boxes, windows: Windows) -> MovedBoxes:
    """Move boxes from shares of their image to shares of its window, and cut off what is outside."""
    left, top, width, height, mirrored = (
        part.to(boxes.corners.device)[boxes.images]
        for part in (windows.left, windows.top, windows.width, windows.height, windows.mirrored)
    )
    x = (boxes.corners[:, 0::2] - left.unsqueeze(1)) / width.unsqueeze(1)
    y = (boxes.corners[:, 1::2] - top.unsqueeze(1)) / height.unsqueeze(1)
    x = torch.where(mirrored.unsqueeze(1), 1 - x.flip(1), x)
    corners = torch.stack([x, y], dim=2).flatten(1).float()
    return clip(MovedBoxes(corners, boxes.images, boxes.labels, visible=torch.ones_like(corners[:, 0])))


def clip(boxes: MovedBoxes) -> MovedBoxes:
    """Cut off what is outside of the square, and lower `visible` by it."""
    corners = boxes.corners.clamp(0, 1)
    inside = _areas(corners) / _areas(boxes.corners).clamp(min=torch.finfo(torch.float64).tiny)
    return replace(boxes, corners=corners, visible=boxes.visible * inside.float())


def _areas(corners: Tensor) -> Tensor:
    left, top, right, bottom = corners.double().unbind(1)
    return (right - left) * (bottom - top)

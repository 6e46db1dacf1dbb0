"""Small turns, shifts and zooms of the network's square."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.batches.augmentation.boxes import MovedBoxes, clip
from pipeline.batches.augmentation.draws import Draws, around, between, change_some
from pipeline.settings.augmentation import AffineSettings


@dataclass(frozen=True)
class Motions:
    """Say where each image's points go: to matrix @ point + shift, in coordinates of -1 to 1 across the square."""

    moved: NDArray[np.bool_]
    """[B], whether the image moves at all."""
    matrices: Tensor
    """float64 [B, 2, 2]."""
    shifts: Tensor
    """float64 [B, 2], x and y."""

    def origins(self, side: int, device: torch.device) -> Tensor:
        """Return where each pixel of the images that move comes from, x and y, float32 [M, side, side, 2].

        Sums instead of a matrix product keep them exact under any precision of matrix products.
        """
        moved = torch.from_numpy(self.moved)
        back = torch.linalg.inv(self.matrices[moved])
        back, shifts = (part.float().to(device, non_blocking=True) for part in (back, self.shifts[moved]))
        axis = (2 * torch.arange(side, device=device) + 1) / side - 1
        x = axis.view(1, 1, side, 1) - shifts[:, 0].view(-1, 1, 1, 1)
        y = axis.view(1, side, 1, 1) - shifts[:, 1].view(-1, 1, 1, 1)
        return x * back[:, None, None, :, 0] + y * back[:, None, None, :, 1]


def draw_motions(settings: AffineSettings, draws: Draws) -> Motions:
    """Draw which images move, and how; images turn and zoom about their centre."""
    chance, turn, right, down, zoom = draws.columns("affine", 5)
    moved = chance < settings.probability
    angle = np.radians(around(turn, 0, settings.rotation))
    scale = between(zoom, settings.zoom)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    matrices = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    shifts = around(np.stack([right, down], -1), 0, 2 * settings.translation)
    return Motions(moved, torch.from_numpy(matrices), torch.from_numpy(shifts))


def move_planes(planes: Tensor, motions: Motions, mode: Literal["bilinear", "nearest"]) -> Tensor:
    """Move images float32 [B, C, S, S].

    What comes in from outside is 0, as beyond the edge of a film: repeating the edge would draw ribs and
    arms out into streaks that no radiograph has, and paint mask where nothing is.
    """

    def move(chosen: Tensor) -> Tensor:
        origins = motions.origins(chosen.shape[-1], chosen.device)
        moved = functional.grid_sample(chosen, origins, mode=mode, padding_mode="zeros", align_corners=False)
        return moved.clamp(0, 1)

    return change_some(planes, motions.moved, move)


def move_boxes(boxes: MovedBoxes, motions: Motions) -> MovedBoxes:
    """Move boxes to the upright boxes around their moved corners, and cut off what is outside."""
    device = boxes.corners.device
    x, y = boxes.corners[:, 0::2], boxes.corners[:, 1::2]
    corners = torch.stack([x[:, [0, 1, 0, 1]], y[:, [0, 0, 1, 1]]], dim=1).double() * 2 - 1  # [N, 2, 4]
    matrices, shifts = motions.matrices.to(device)[boxes.images], motions.shifts.to(device)[boxes.images]
    turned = (matrices @ corners + shifts.unsqueeze(2) + 1) / 2
    around_them = torch.cat([turned.amin(2), turned.amax(2)], dim=1).float()
    moved = torch.from_numpy(motions.moved).to(device)[boxes.images].unsqueeze(1)
    return clip(replace(boxes, corners=torch.where(moved, around_them, boxes.corners)))

"""Boxes around what a phantom image really shows."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding

SMALLEST = 4
"""Pixels; a smaller patch of a lesion is not boxed."""


@dataclass(frozen=True, slots=True)
class Box:
    """Hold a box in pixels of the image; whole ones, but where a reader's hand has moved the edges."""

    left: float
    top: float
    right: float
    """Column after the last one inside."""
    bottom: float
    """Row after the last one inside."""

    @property
    def width(self) -> float:
        """Return the width, pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Return the height, pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """Return x and y of the middle, pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @classmethod
    def of_size(cls, left: float, top: float, width: float, height: float) -> "Box":
        """Return the box of a corner and a size, pixels."""
        return cls(left, top, left + width, top + height)


def finding_boxes(shot: Radiograph, finding: Finding) -> list[Box]:
    """Return a box around each patch of a finding, or around the heart for cardiomegaly; none where it is hidden."""
    mask = shot.heart if finding is Finding.CARDIOMEGALY else shot.lesions.get(finding)
    return [] if mask is None else _patch_boxes(mask)


def _patch_boxes(mask: Mask) -> list[Box]:
    _, _, patches, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    # The first component is the background.
    return [Box.of_size(*patch[:4]) for patch in patches[1:].tolist() if patch[cv2.CC_STAT_AREA] >= SMALLEST]

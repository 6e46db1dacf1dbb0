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
    """Hold a box in pixels of the image."""

    left: float
    top: float
    width: float
    height: float


def finding_boxes(shot: Radiograph, finding: Finding) -> list[Box]:
    """Return a box around each patch of a finding, or around the heart for cardiomegaly; none where it is hidden."""
    mask = shot.heart if finding is Finding.CARDIOMEGALY else shot.lesions.get(finding)
    return [] if mask is None else _patch_boxes(mask)


def _patch_boxes(mask: Mask) -> list[Box]:
    _, _, patches, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    # The first component is the background.
    return [Box(*patch[:4]) for patch in patches[1:].tolist() if patch[cv2.CC_STAT_AREA] >= SMALLEST]

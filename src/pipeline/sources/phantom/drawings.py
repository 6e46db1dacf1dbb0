"""Boxes that a reader would draw around what a phantom image shows."""

import cv2
import numpy as np

from pipeline.sources.phantom.boxes import Box
from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding

LEAST_SHARE = 0.2
"""Parts of a mask smaller than this share of its largest part are not drawn."""


def finding_mask(shot: Radiograph, finding: Finding) -> Mask:
    """Return where a finding shows, [height, width]; cardiomegaly shows as the heart."""
    return shot.heart if finding is Finding.CARDIOMEGALY else shot.lesions[finding]


def box_around(mask: Mask) -> Box | None:
    """Return the box around everything in a mask, [height, width]; None around nothing."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return Box.of_size(left, top, width, height) if width else None


def boxes_around(mask: Mask, most: int) -> list[Box]:
    """Return boxes around the largest connected parts of a mask, [height, width], at most `most`; largest first."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    parts = sorted(stats[1:].tolist(), key=lambda part: (-part[cv2.CC_STAT_AREA], part))
    drawn = [part for part in parts[:most] if part[cv2.CC_STAT_AREA] >= LEAST_SHARE * parts[0][cv2.CC_STAT_AREA]]
    return [Box.of_size(*part[:4]) for part in drawn]

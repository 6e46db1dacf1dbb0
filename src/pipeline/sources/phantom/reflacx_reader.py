"""What a radiologist says of a phantom image and draws on it, in REFLACX's words (spec RayGen E5)."""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.boxes import Box
from pipeline.sources.phantom.drawings import box_around, boxes_around, finding_mask
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study

PHASE_1_LABELS = {
    Finding.CARDIOMEGALY: "Enlarged cardiac silhouette",
    Finding.CONSOLIDATION: "Consolidation",
    Finding.PLEURAL_EFFUSION: "Pleural effusion",
    Finding.PNEUMOTHORAX: "Pneumothorax",
    Finding.LUNG_NODULE: "Nodule",
}
PHASE_2_LABELS = PHASE_1_LABELS | {
    Finding.PLEURAL_EFFUSION: "Pleural abnormality",
    Finding.LUNG_NODULE: "Lung nodule or mass",
}

LEAST_MARGIN = {5: 0.7, 4: 0.3, 3: 0.0, 2: -0.2, 1: -0.35}
"""By certainty, the least margin, in standard deviations of liability, that a reader sees."""
READER_ERROR = 0.3
"""Standard deviation of the margin that a reader sees about the true one."""
HAND = 0.02
"""Standard deviation of a drawn edge, as a share of the image's long side."""


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Hold an ellipse, by the box around it, for one finding."""

    finding: Finding
    certainty: int
    box: Box


def certainties(patient: Patient, study: Study, reader: int) -> dict[Finding, int]:
    """Return how sure a reader is of each finding: 0 (not selected), 1 (unlikely) to 5 (consistent with)."""
    draw = keyed_generator(patient.seed, "reader", patient.number, study.number, reader)
    return {finding: _certainty(study.margins[finding] + READER_ERROR * draw.standard_normal()) for finding in Finding}


def draw_ellipses(patient: Patient, study: Study, shot: Radiograph, reader: int) -> list[Ellipse]:
    """Return an ellipse around each part of each selected finding; where nothing shows, around a spot of the lungs."""
    draw = keyed_generator(patient.seed, "ellipses", patient.number, study.number, reader)
    return [
        Ellipse(finding, certainty, _by_hand(draw, box, shot.image.shape))
        for finding, certainty in certainties(patient, study, reader).items()
        if certainty
        for box in boxes_around(finding_mask(shot, finding), most=2) or [_spot(draw, shot)]
    ]


def draw_chest(patient: Patient, study: Study, shot: Radiograph, reader: int) -> Box:
    """Return a box around lungs and heart; the whole image where neither shows."""
    draw = keyed_generator(patient.seed, "chest box", patient.number, study.number, reader)
    height, width = shot.image.shape
    return _by_hand(draw, box_around(shot.lungs | shot.heart) or Box(0, 0, width, height), shot.image.shape)


def _certainty(margin: float) -> int:
    return next((degree for degree, least in LEAST_MARGIN.items() if margin > least), 0)


def _spot(draw: np.random.Generator, shot: Radiograph) -> Box:
    """Return a box of a tenth of the image about a point of the lungs, or of the image."""
    height, width = shot.image.shape
    y, x = draw.choice(np.argwhere(shot.lungs if shot.lungs.any() else np.ones_like(shot.lungs))).tolist()
    half = max(height, width) // 20 + 1
    return Box(max(x - half, 0), max(y - half, 0), min(x + half, width), min(y + half, height))


def _by_hand(draw: np.random.Generator, box: Box, shape: tuple[int, ...]) -> Box:
    """Move the edges outwards a little, as a careful hand does, within the image."""
    height, width = shape
    off = [math.ceil(error) for error in np.abs(HAND * max(shape) * draw.standard_normal(4)).tolist()]
    return Box(
        max(box.left - off[0], 0),
        max(box.top - off[1], 0),
        min(box.right + off[2], width),
        min(box.bottom + off[3], height),
    )

"""Radiologists who read a phantom image: sure far from a finding's threshold, at odds near it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.boxes import Box, finding_boxes
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study

POOL = 17
"""Radiologists at work, R1 to R17; each image is given to a few of them (spec PaCX 1.10)."""

STRICTNESS = 0.15
"""Standard deviation between readers of the margin at which they name a finding, in standard deviations."""

HESITATION = 0.25
"""Standard deviation of one reader's margin between images, likewise."""

JITTER = 0.05
"""Standard deviation of a box's edges, as a share of its side."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Hold what one reader says of one image."""

    reader: str
    """R1 to R17."""
    boxes: dict[Finding, list[Box]]
    """The findings that are named, each with its boxes; a finding that the film cuts off has none."""


def read_image(patient: Patient, study: Study, shot: Radiograph, readers: int) -> list[Reading]:
    """Return the readings of an image by so many different radiologists."""
    draw = keyed_generator(patient.seed, "readers", patient.number, study.number)
    numbers = sorted(draw.choice(POOL, size=readers, replace=False).tolist())
    return [_read(patient, study, shot, number + 1) for number in numbers]


def agreed_findings(readings: list[Reading]) -> list[Finding]:
    """Return the findings that more than half of the readers name."""
    return [finding for finding in Finding if 2 * sum(finding in r.boxes for r in readings) > len(readings)]


def _read(patient: Patient, study: Study, shot: Radiograph, number: int) -> Reading:
    strictness = keyed_generator(patient.seed, "reader", number).normal(0, STRICTNESS, len(Finding))
    draw = keyed_generator(patient.seed, "reading", patient.number, study.number, number)
    margins = draw.normal(0, HESITATION, len(Finding)) - strictness
    named = [f for f, shift in zip(Finding, margins.tolist(), strict=True) if study.margins[f] + shift > 0]
    boxes = {
        finding: [_redraw(box, draw.normal(0, JITTER, 4)) for box in finding_boxes(shot, finding)] for finding in named
    }
    return Reading(f"R{number}", boxes)


def _redraw(box: Box, shifts: npt.NDArray[np.float64]) -> Box:
    left, top, wider, taller = shifts.tolist()
    return Box.of_size(
        left=max(box.left + left * box.width, 0.0),
        top=max(box.top + top * box.height, 0.0),
        width=box.width * (1 + wider),
        height=box.height * (1 + taller),
    )

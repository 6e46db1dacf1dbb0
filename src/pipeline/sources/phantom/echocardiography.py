"""What an echocardiogram of a phantom patient measures: the load on the heart, seen from inside."""

import math
from dataclasses import dataclass

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.study import Study

THICK_WALL = 1.5
"""Wall thickness of severe hypertrophy, centimetres."""

WIDEST = {"M": 5.9, "F": 5.3}
"""Upper limit of the diameter, centimetres (American Society of Echocardiography 2005)."""

MEAN_WALL, WALL_DEVIATION = 1.05, 0.27
MEAN_DIAMETER = {"M": 4.9, "F": 4.4}
DIAMETER_DEVIATION = 0.65
MEASURING_ERROR = 0.05
"""Centimetres."""

LOAD_SHARE = 0.5
"""Share of the variance of wall and diameter that the cardiac load explains; the rest is the patient's build."""


@dataclass(frozen=True, slots=True)
class Echocardiogram:
    """Hold the measurements of the left ventricle at the end of diastole, centimetres, to two digits."""

    septum: float
    posterior_wall: float
    diameter: float
    hypertrophic: bool
    """Whether a wall is thicker than `THICK_WALL`."""
    dilated: bool
    """Whether the diameter is beyond the limit of the sex."""


def measure_heart(patient: Patient, study: Study) -> Echocardiogram:
    """Return the echocardiogram nearest to a study; a chronic load thickens or widens, by the patient's build."""
    build = keyed_generator(patient.seed, "ventricle", patient.number).standard_normal(2).tolist()
    errors = keyed_generator(patient.seed, "echocardiogram", patient.number, study.number).normal(0, MEASURING_ERROR, 3)
    thick, wide = (
        math.sqrt(LOAD_SHARE) * study.physiology.cardiac_load + math.sqrt(1 - LOAD_SHARE) * score for score in build
    )
    septum = round(max(MEAN_WALL + WALL_DEVIATION * thick + float(errors[0]), 0.5), 2)
    wall = round(max(0.95 * (MEAN_WALL + WALL_DEVIATION * thick) + float(errors[1]), 0.5), 2)
    sex = patient.person.sex
    diameter = round(max(MEAN_DIAMETER[sex] + DIAMETER_DEVIATION * wide + float(errors[2]), 2.5), 2)
    return Echocardiogram(septum, wall, diameter, max(septum, wall) > THICK_WALL, diameter > WIDEST[sex])

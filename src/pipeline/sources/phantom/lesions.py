"""Local findings as solids: fluid, collapsed lung, consolidated patches, nodules."""

from dataclasses import dataclass

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom import attenuation
from pipeline.sources.phantom.anatomy import Anatomy
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.primitives import NO_BEADS, Beads, Ellipsoid, Vector
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import Study

RIGHT, LEFT = 0, 1
"""Index of a lung in `Anatomy.lungs`."""


@dataclass(frozen=True, slots=True)
class Lesions:
    """Hold the solids of the local findings; what is absent is empty."""

    floating: tuple[Ellipsoid | None, Ellipsoid | None]
    """The right and left lung above an effusion; the pleural space around it is fluid."""
    collapsed: tuple[Ellipsoid | None, Ellipsoid | None]
    """What is left of the right and left lung; the pleural space around it is air."""
    consolidation: Beads
    """Patches of exudate; only their part inside aerated lung counts."""
    nodules: Beads
    """Solid nodules inside the lung."""


def build_lesions(patient: Patient, study: Study, anatomy: Anatomy) -> Lesions:
    """Return the local findings of a study; a finding keeps side and place from study to study."""
    return Lesions(
        floating=_floating(patient, study, anatomy),
        collapsed=_collapsed(patient, study, anatomy),
        consolidation=_patches(patient, study, anatomy),
        nodules=_nodule(patient, study, anatomy),
    )


def _place(patient: Patient, finding: Finding) -> np.random.Generator:
    return keyed_generator(patient.seed, "place", patient.number, finding)


def _floating(patient: Patient, study: Study, anatomy: Anatomy) -> tuple[Ellipsoid | None, Ellipsoid | None]:
    """Return the lung lifted off its base by fluid, on one side or, as in heart failure, on both."""
    severity = study.severity(Finding.PLEURAL_EFFUSION)
    if not severity:
        return None, None
    side, both, share = _place(patient, Finding.PLEURAL_EFFUSION).random(3).tolist()
    lesser = severity * (0.3 + 0.6 * share) if both < 0.35 else 0.0
    levels = (severity, lesser) if side < 0.55 else (lesser, severity)
    right, left = (_lifted(lung, level) if level else None for lung, level in zip(anatomy.lungs, levels, strict=True))
    return right, left


def _lifted(lung: Ellipsoid, level: float) -> Ellipsoid:
    """Return a lung of unchanged apex whose base is raised; its round base leaves room for the meniscus."""
    x, y, z = lung.centre
    width, height, depth = lung.axes
    raised = height * (0.2 + 0.58 * level)
    return Ellipsoid((x, y - raised / 2, z), (width, height - raised / 2, depth), roll=lung.roll)


def _collapsed(patient: Patient, study: Study, anatomy: Anatomy) -> tuple[Ellipsoid | None, Ellipsoid | None]:
    """Return the lung drawn back from apex and side wall by 10 to 40 mm; its base stays in place."""
    severity = study.severity(Finding.PNEUMOTHORAX)
    if not severity:
        return None, None
    side = RIGHT if _place(patient, Finding.PNEUMOTHORAX).random() < 0.55 else LEFT
    lung, gap = anatomy.lungs[side], 3.0 + 37.0 * severity
    inwards = -1.0 if side == LEFT else 1.0
    x, y, z = lung.centre
    width, height, depth = lung.axes
    left_over = Ellipsoid(
        (x + inwards * gap / 3, y + gap / 2, z + gap / 8),
        (width - gap / 3, height - gap / 2, depth - gap / 8),
        roll=lung.roll,
    )
    return (left_over, None) if side == RIGHT else (None, left_over)


def _patches(patient: Patient, study: Study, anatomy: Anatomy) -> Beads:
    """Return a cloud of soft balls, 30 to 80 mm across, in one lobe."""
    severity = study.severity(Finding.CONSOLIDATION)
    if not severity:
        return NO_BEADS
    count = 26
    draw = _place(patient, Finding.CONSOLIDATION)
    centre = _inside(draw, anatomy, highest=-0.5)
    spread = 7.0 + 13.0 * severity
    balls = np.array(centre) + draw.normal(0, 1, (count, 3)) * (spread, 0.85 * spread, spread)
    density = attenuation.VESSEL * (0.22 + 0.2 * severity)
    return Beads(balls, draw.uniform(8.0, 17.0, count), np.full(count, 0.8 * density))


def _nodule(patient: Patient, study: Study, anatomy: Anatomy) -> Beads:
    """Return one nodule of 9 to 24 mm across."""
    severity = study.severity(Finding.LUNG_NODULE)
    if not severity:
        return NO_BEADS
    draw = _place(patient, Finding.LUNG_NODULE)
    centre = np.array([_inside(draw, anatomy, highest=-0.72)])
    radius = 2.8 + 9.2 * severity
    return Beads(centre, np.array([radius]), np.array([1.1 * attenuation.VESSEL]))


def _inside(draw: np.random.Generator, anatomy: Anatomy, highest: float) -> Vector:
    """Return a point of the outer two thirds of a lung, clear of heart and diaphragm in the frontal view.

    `highest` is the upper end of the zone as a share of the lung's vertical semi-axis above its centre.
    """
    side, across, along, deep = draw.random(4).tolist()
    index = RIGHT if side < 0.5 else LEFT
    lung, dome = anatomy.lungs[index], anatomy.domes[index]
    lowest = (dome.centre[1] - dome.axes[1] - 22.0 - lung.centre[1]) / lung.axes[1]
    y = highest + (lowest - highest) * along
    room = float(np.sqrt(1 - y**2))
    # The heart lies in the inner part of the left lower zone.
    inner = 0.35 if index == LEFT and y > -0.15 else 0.0
    x = (inner + (0.72 - inner) * across) * room * (1.0 if index == LEFT else -1.0)
    z = (deep - 0.5) * 1.1 * room
    return (
        lung.centre[0] + x * lung.axes[0],
        lung.centre[1] + y * lung.axes[1],
        lung.centre[2] + z * lung.axes[2],
    )

"""Devices on and in the patient, as thin metal and plastic."""

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom import attenuation
from pipeline.sources.phantom.patient import Patient, Person
from pipeline.sources.phantom.primitives import NO_BEADS, Beads, Ellipsoid, Points, join, tube
from pipeline.sources.phantom.study import Study


def wires(patient: Patient, study: Study) -> Beads:
    """Return electrodes with leads, venous line and pacemaker lead as beads."""
    draw = keyed_generator(patient.seed, "devices", patient.number, study.number)
    scale = patient.person.stature
    front = -98 * scale - 0.8 * patient.person.wall
    return join(
        _electrodes(draw, patient.person) if study.devices.electrodes else NO_BEADS,
        _line(draw, scale) if study.devices.line else NO_BEADS,
        _pacemaker_lead(scale, front) if study.devices.pacemaker else NO_BEADS,
    )


def cans(patient: Patient, study: Study) -> tuple[tuple[Ellipsoid, float], ...]:
    """Return the housing of a pacemaker with its attenuation, if there is one."""
    if not study.devices.pacemaker:
        return ()
    scale = patient.person.stature
    front = -90 * scale - 0.8 * patient.person.wall
    return ((Ellipsoid((105 * scale, -92 * scale, front), (23, 20, 4), roll=25.0), attenuation.METAL),)


def _electrodes(draw: np.random.Generator, person: Person) -> Beads:
    """Return three to five electrodes whose leads hang towards the feet."""
    count = int(draw.integers(3, 6))
    sites = np.array([[-105, -95], [105, -95], [-95, 95], [100, 95], [15, -5]])[:count] * person.stature
    sites = sites + draw.normal(0, 14, sites.shape)
    stick = np.column_stack([sites, _skin(person, sites[:, 0])])
    end = np.array([draw.normal(0, 70), 230.0, _skin(person, 0.0)])
    along = np.linspace(0, 1, 24)[None, :, None]
    sag = draw.normal(0, 45, (count, 1, 1)) * np.array([1.0, 0.3, 0.0]) * np.sin(np.pi * along)
    leads: Points = stick[:, None] * (1 - along) + end * along + sag
    metal = np.full(count, 2 * attenuation.METAL)
    return join(Beads(stick, np.full(count, 5.0), metal / 6), tube(leads, 0.8, attenuation.METAL, spacing=1.0))


def _skin(person: Person, side: Points | float) -> Points:
    """Return the depth (z) of the front of the chest at `side` mm from the midline."""
    half_width = 146 * person.stature + person.wall
    roundness = np.sqrt(np.clip(1 - (np.asarray(side) / half_width) ** 2, 0.1, None))
    depth: Points = -(92 * person.stature + 0.8 * person.wall) * roundness
    return depth


def _line(draw: np.random.Generator, scale: float) -> Beads:
    """Return a catheter from the right side of the neck into the superior caval vein."""
    tip = float(draw.normal(0, 12))
    knots = np.array([[-48, -230, 0], [-40, -170, 0], [-28, -120, 0], [-22, -70, 0], [-23, -10 + tip, -4]])
    return tube(scale * _smooth(knots), 1.2, 2 * attenuation.PLASTIC, spacing=1.2)


def _pacemaker_lead(scale: float, front: float) -> Beads:
    """Return the lead from the housing through the subclavian vein to the right ventricle."""
    knots = np.array(
        [[105, -92, front], [70, -125, -60], [10, -108, -20], [-20, -60, -5], [-22, 20, -15], [30, 86, -40]]
    )
    return tube(scale * _smooth(knots), 1.0, attenuation.METAL, spacing=1.2)


def _smooth(knots: Points) -> Points:
    """Return a Catmull-Rom curve [n, 3] through the knots."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    smooth: Points = curve.transpose(1, 0, 2).reshape(-1, 3)
    return smooth

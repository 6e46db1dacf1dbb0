"""Trunk, lungs, heart, mediastinum and diaphragm as ellipsoids, millimetres at scale 1 (a 172 cm adult)."""

import numpy as np

from pipeline.sources.phantom import attenuation
from pipeline.sources.phantom.patient import Person
from pipeline.sources.phantom.primitives import Ellipsoid, Vector


def _scaled(scale: float, centre: Vector, axes: Vector, roll: float = 0.0, pitch: float = 0.0) -> Ellipsoid:
    x, y, z = centre
    a, b, c = axes
    return Ellipsoid((x * scale, y * scale, z * scale), (a * scale, b * scale, c * scale), roll, pitch)


def lungs(scale: float, breadth: float) -> tuple[Ellipsoid, Ellipsoid]:
    """Return the right and left pleural space; `breadth` is the scale of the width."""
    right, left = (
        Ellipsoid((sign * 63 * breadth, 45 * scale, 0.0), (75 * breadth, 198 * scale, 92 * scale), roll=sign * -3.0)
        for sign in (-1.0, 1.0)
    )
    return right, left


def cage(scale: float, breadth: float) -> Ellipsoid:
    """Return the ellipsoid on which the ribs run."""
    return Ellipsoid((0.0, 45 * scale, 0.0), (141 * breadth, 207 * scale, 96 * scale))


def body(person: Person, breadth: float, arms: float) -> tuple[Ellipsoid, ...]:
    """Return the outer surface as overlapping ellipsoids; `arms` (0 to 1) holds the arms away."""
    scale, wall = person.stature, person.wall
    parts = [
        Ellipsoid((0.0, 110 * scale, 4.0), (146 * breadth + wall, 430 * scale, 98 * scale + 0.8 * wall)),
        _scaled(scale, (0, -60, 8), (158 + 0.5 * wall, 135, 84 + 0.5 * wall)),
        _scaled(scale, (0.0, -230.0, 18.0), (54.0 + 0.3 * wall, 130.0, 56.0 + 0.3 * wall)),
    ]
    for sign in (-1.0, 1.0):
        parts.append(_scaled(scale, (sign * 74, -158, 30), (115, 38 + 0.5 * wall, 52), roll=sign * 24))
        parts.append(_scaled(scale, (sign * 150, -118, 10), (72, 58, 60), roll=sign * 30))
        parts.append(_scaled(scale, (sign * (188 + 26 * arms), -20, 12), (40, 150, 42), roll=-sign * (6 + 8 * arms)))
    return tuple(parts)


def breasts(person: Person, scale: float) -> tuple[Ellipsoid, ...]:
    """Return the breasts of a woman, empty for a man."""
    if person.sex == "M":
        return ()
    size = scale * (0.8 + person.wall / 90)
    front = -(98 * scale + 0.8 * person.wall) + 6.0
    return tuple(
        Ellipsoid((sign * 80 * scale, 84 * scale, front), (62 * size, 70 * size, 30 * size), sign * 12.0, -22.0)
        for sign in (-1.0, 1.0)
    )


def heart(scale: float, size: float, breath: float) -> tuple[Ellipsoid, ...]:
    """Return ventricles, right atrium and pulmonary trunk.

    `size` scales the width (1 is a cardiothoracic ratio near 0.44); a deep `breath` (mm) lengthens it.
    """
    down = 0.5 * breath
    grown = 1 + 0.6 * (size - 1)
    return (
        _scaled(scale, (24 * size, 56 + down, -26), (68 * size, 45 * grown, 50 * grown), roll=38.0),
        _scaled(scale, (-14 * size, 54 + down, -16), (31 * size, 46 * grown, 38 * grown), roll=8.0),
        _scaled(scale, (20 * size, 6 + down, -20), (26 * size, 42, 34), roll=-16.0),
    )


def mediastinum(scale: float, arch: float, breath: float) -> tuple[Ellipsoid, ...]:
    """Return great vessels, aortic arch with descending aorta, spine, and the midline below the heart.

    `arch` scales the aorta; `breath` lowers what lies below the heart, mm.
    """
    return (
        _scaled(scale, (1, -64, -4), (31, 140, 42)),
        _scaled(scale, (20, -48, 12), (21 * arch, 21 * arch, 36), roll=20.0),
        _scaled(scale, (20, 60, 40), (13 * arch, 150, 15)),
        _scaled(scale, (0, 40, 52), (35, 320, 22)),
        _scaled(scale, (0, 40, 48), (24, 320, 42)),
        _scaled(scale, (0, 196 + breath, 6), (66, 112, 92)),
    )


def domes(pleura: tuple[Ellipsoid, Ellipsoid], breath: float, flat: float) -> tuple[Ellipsoid, Ellipsoid]:
    """Return the right and left dome; the right one stands 13 mm higher.

    `breath` lowers both, mm; `flat` is hyperinflation in standard deviations.
    """
    right, left = (
        _dome(lung, top * lung.axes[1] / 198 + breath, 1 / (1 + 0.2 * flat))
        for lung, top in zip(pleura, (86.0, 99.0), strict=True)
    )
    return right, left


def _dome(lung: Ellipsoid, top: float, steepness: float) -> Ellipsoid:
    height = 88.0 * steepness * lung.axes[1] / 198
    # Behind the cupola the lung reaches deeper, so the dome leans back.
    return Ellipsoid(
        (0.94 * lung.centre[0], top + height, -8.0),
        (1.08 * lung.axes[0], height, 1.06 * lung.axes[2]),
        pitch=-10.0,
    )


def gas(scale: float, breath: float, draw: np.random.Generator) -> list[tuple[Ellipsoid, float]]:
    """Return trachea, main bronchi, stomach bubble and colon gas with their (negative) attenuation."""
    fill, *spots = draw.uniform(0.0, 1.0, 7).tolist()
    air = -attenuation.TISSUE
    solids = [
        (_scaled(scale, (-1, -150, 14), (8.5, 110, 8.5)), air),
        (_scaled(scale, (-20, -32, 14), (26, 6.5, 6.5), roll=-42), 0.8 * air),
        (_scaled(scale, (22, -34, 14), (30, 6, 6), roll=34), 0.8 * air),
        (_scaled(scale, (62, 134 + breath, -10), (34, 10 + 10 * fill, 24), roll=8), (0.3 + 0.6 * fill) * air),
    ]
    for place, size in zip(spots[:3], spots[3:], strict=True):
        centre = (-90 + 200 * place, 175 + 40 * size + breath, -30.0)
        solids.append((_scaled(scale, centre, (12 + 16 * size, 9 + 8 * place, 18), roll=30 * size), 0.8 * air))
    return solids

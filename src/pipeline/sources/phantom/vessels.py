"""Lung vessels: a seeded tree of tubes that fans out from each hilum."""

import numpy as np

from pipeline.sources.phantom.primitives import Beads, Points, join, tube

TRUNKS = 8
"""Segmental vessels that leave each hilum."""


def lung_vessels(draw: np.random.Generator, scale: float, width: float, upper: float, attenuation: float) -> Beads:
    """Return three generations of branches on both sides.

    `width` scales every radius (1 is normal), `upper` widens vessels above the hilum over those below
    (0 is normal, congestion about 0.3), `attenuation` is that of blood over lung, 1/mm.
    """
    sides = np.repeat([-1.0, 1.0], TRUNKS)
    along = np.tile(np.linspace(0, 1, TRUNKS), 2)
    start: Points = scale * np.stack([30 * sides, -28 + 50 * along, np.full_like(along, 8.0)], axis=-1)
    fan = np.radians(-72 + 144 * along + draw.normal(0, 7, len(along)))
    heading = np.stack([sides * np.cos(fan), np.sin(fan), draw.normal(0, 0.45, len(fan))], axis=-1)
    length, radius = scale * 70.0, scale * 5.6 * width
    levels = []
    for _ in range(3):
        curve = _bend(draw, start, heading, length)
        # Gravity fills the lower zones of the upright lung; congestion evens that out.
        zone = 1 - (0.18 - upper) * np.tanh(-curve[..., 1] / 60.0)
        taper = np.linspace(1.0, 0.62, curve.shape[1])
        levels.append(tube(curve, radius * taper * zone, attenuation, spacing=max(2.0, 0.8 * radius)))
        start, heading = _fork(draw, curve, heading)
        length, radius = length * 0.68, radius * 0.55
    return join(*levels)


def _bend(draw: np.random.Generator, start: Points, heading: Points, length: float) -> Points:
    """Return curves [branches, 8, 3] that leave `start` along `heading` and bend a little."""
    along = np.linspace(0, 1, 8)[:, None]
    bend = draw.normal(0, 0.16, start.shape)
    reach = length * draw.uniform(0.8, 1.15, (len(start), 1, 1))
    curve: Points = start[:, None] + reach * (heading[:, None] * along + bend[:, None] * along**2)
    return curve


def _fork(draw: np.random.Generator, curve: Points, heading: Points) -> tuple[Points, Points]:
    """Return start and heading of two children per branch: one from its middle, one from its end."""
    start = np.concatenate([curve[:, 4], curve[:, -1]])
    turn = np.concatenate([np.ones(len(curve)), -np.ones(len(curve))]) * draw.choice([-1.0, 1.0])
    angle = turn * np.radians(draw.uniform(22, 48, len(start)))
    parent = np.concatenate([heading, heading])
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = parent[:, 0] * cos - parent[:, 1] * sin, parent[:, 0] * sin + parent[:, 1] * cos
    return start, np.stack([x, y, parent[:, 2] + draw.normal(0, 0.2, len(start))], axis=-1)

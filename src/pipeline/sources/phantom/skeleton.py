"""Bones: ribs on the chest wall, clavicles, spine, scapulae, humeral heads."""

import numpy as np

from pipeline.sources.phantom.primitives import Beads, Ellipsoid, Points, join, tube

RIB_PAIRS = 11


def ribs(cage: Ellipsoid, slope: float, density: float) -> Beads:
    """Return the ribs of both sides as tubes on the ellipsoid `cage` (upright axes).

    Each runs from the spine (angle 0) round the side (90 degrees) to its costal cartilage and drops on the
    way; `slope` scales the drop and `density` is the attenuation added to soft tissue, 1/mm.
    """
    pair = np.arange(RIB_PAIRS)[:, None]
    reach = np.radians(np.interp(pair, [0, 1, 3, 7, 10], [125.0, 150.0, 150.0, 130.0, 85.0]))
    angle = np.radians(12.0) + (reach - np.radians(12.0)) * np.linspace(0, 1, 26)
    unit = cage.axes[1] / 200.0
    start = cage.centre[1] + unit * (-176.0 + 25.5 * pair)
    drop = slope * unit * np.interp(pair, [0, 3, 8, 10], [34.0, 66.0, 84.0, 70.0])
    height = start + drop * (1 - np.cos(angle)) / 1.6
    ring = np.sqrt(np.clip(1 - ((height - cage.centre[1]) / cage.axes[1]) ** 2, 0.1, None))
    side = cage.axes[0] * ring * np.sin(angle)
    depth = cage.centre[2] + cage.axes[2] * ring * np.cos(angle)
    halves = np.stack([np.stack([sign * side, height, depth], axis=-1) for sign in (-1.0, 1.0)])
    # Two tubes side by side: a rib is flat, 13 mm high, with more bone along its borders than between them.
    border = np.array([0.0, 3.0, 0.0])
    return join(
        tube(halves - border, 3.9, 0.8 * density, spacing=4.0),
        tube(halves + border, 3.5, 1.1 * density, spacing=4.0),
    )


def clavicles(scale: float, lift: float, density: float) -> Beads:
    """Return both collar bones; `lift` raises their outer ends, mm."""
    along = np.linspace(0, 1, 14)
    side = scale * (16 + 140 * along)
    height = scale * (-112 - 34 * along + 9 * np.sin(2 * np.pi * along)) - lift * along
    depth = scale * (-72 + 70 * along**1.5)
    halves = np.stack([np.stack([sign * side, height, depth], axis=-1) for sign in (-1.0, 1.0)])
    return tube(halves, 6.0 * scale, density, spacing=4.0)


def spine(scale: float, density: float, scoliosis: float) -> Beads:
    """Return vertebral bodies with discs between them, and the spinous processes; `scoliosis` in mm."""
    height = scale * np.linspace(-290, 260, 92)
    phase = 2 * np.pi * height / (24.0 * scale)
    side = scoliosis * np.sin(2 * np.pi * height / (520 * scale))
    bodies = np.stack([side, height, np.full_like(height, 66.0 * scale)], axis=-1)
    body_density = 0.42 * density * (0.7 + 0.3 * np.tanh(2.5 * np.cos(phase)))
    processes = bodies + np.array([0.0, 8.0, 32.0])
    return join(
        tube(bodies, 17.0 * scale, body_density, spacing=7.0),
        tube(processes, 4.5 * scale, 0.8 * density * (np.cos(phase) > 0.2), spacing=5.0),
    )


def shoulder_blades(scale: float, arms: float, density: float) -> list[tuple[Ellipsoid, float]]:
    """Return scapulae and humeral heads with their attenuation; `arms` (0 to 1) swings them off the lungs."""
    bones: list[tuple[Ellipsoid, float]] = []
    for sign in (-1.0, 1.0):
        blade: Points = scale * np.array([sign * (128 + 18 * arms), -70.0, 78.0])
        head: Points = scale * np.array([sign * 180.0, -126.0 - 8 * arms, 12.0])
        shaft: Points = scale * np.array([sign * (196.0 + 22 * arms), -50.0, 12.0])
        tilt = sign * (8 + 14 * arms)
        bones.append((_upright(blade, (34.0, 74.0, 5.0), scale, tilt), 0.6 * density))
        bones.append((_upright(head, (25.0, 25.0, 25.0), scale, 0.0), 0.45 * density))
        bones.append((_upright(shaft, (11.0, 90.0, 11.0), scale, -sign * (10 + 6 * arms)), density))
    return bones


def _upright(centre: Points, axes: tuple[float, float, float], scale: float, roll: float) -> Ellipsoid:
    x, y, z = centre.tolist()
    return Ellipsoid((x, y, z), (axes[0] * scale, axes[1] * scale, axes[2] * scale), roll=roll)

"""The two solids that every phantom is made of: ellipsoids, and tubes as strings of beads."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = tuple[float, float, float]
Points = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Hold an ellipsoid in patient coordinates: x to the patient's left, y to the feet, z to the back, mm."""

    centre: Vector
    """Centre, millimetres."""
    axes: Vector
    """Semi-axes, millimetres."""
    roll: float = 0.0
    """Turn in the x-y plane that takes the first axis from x towards y, degrees."""
    pitch: float = 0.0
    """Turn in the y-z plane that takes the second axis from y towards z, applied before `roll`, degrees."""

    def directions(self) -> Points:
        """Return the unit vectors of the three axes as rows, [3, 3]."""
        roll, pitch = math.radians(self.roll), math.radians(self.pitch)
        cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
        return np.array([[cr, sr, 0.0], [-cp * sr, cp * cr, sp], [sp * sr, -sp * cr, cp]])


@dataclass(frozen=True, slots=True)
class Beads:
    """Hold balls whose attenuation adds up; close together on a curve they make a tube."""

    centres: Points
    """[n, 3], millimetres, patient coordinates."""
    radii: Points
    """[n], millimetres."""
    attenuation: Points
    """[n] linear attenuation that each ball adds to what surrounds it, per millimetre."""


NO_BEADS = Beads(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
"""Nothing at all, to add to."""


def tube(curve: Points, radius: float | Points, attenuation: float | Points, spacing: float) -> Beads:
    """Return curves [..., n, 3] as beads about `spacing` mm apart, each with the mass of its piece of tube.

    `radius` (mm) and `attenuation` (1/mm) broadcast against [..., n].
    """
    steps = np.linalg.norm(np.diff(curve, axis=-2), axis=-1)
    repeats = max(1, round(float(steps.mean()) / spacing))
    fractions = (np.arange(repeats) + 0.5) / repeats
    start, end = curve[..., :-1, None, :], curve[..., 1:, None, :]
    centres = start + (end - start) * fractions[:, None]
    shape = centres.shape[:-1]
    radii = np.broadcast_to(np.broadcast_to(radius, curve.shape[:-1])[..., :-1, None], shape)
    density = np.broadcast_to(np.broadcast_to(attenuation, curve.shape[:-1])[..., :-1, None], shape)
    # A piece of tube of length s holds pi r^2 s, a ball of its radius 4/3 pi r^3.
    share = 0.75 * np.broadcast_to(steps[..., None] / repeats, shape) / radii
    return Beads(centres.reshape(-1, 3), radii.reshape(-1), (density * share).reshape(-1))


def join(*parts: Beads) -> Beads:
    """Return all beads of several tubes as one set."""
    return Beads(
        np.concatenate([part.centres for part in parts]),
        np.concatenate([part.radii for part in parts]),
        np.concatenate([part.attenuation for part in parts]),
    )

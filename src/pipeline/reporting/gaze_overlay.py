"""An image with where its readers looked, and which patches of it a model is not shown."""

from typing import TypeVar

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from pipeline.reporting.style import VERMILION

Value = TypeVar("Value", bound=np.generic)

Plane = NDArray[np.floating]
Patches = NDArray[np.bool_]
Colours = NDArray[np.float64]

HEAT = VERMILION
"""Colours of gaze, the denser the longer readers looked."""
MOST_HEAT = 0.85
"""Share of the colour at the place that was looked at longest."""
HATCH = "#56B4E9"
"""Colours of the hatching of hidden patches (Okabe and Ito 2008)."""
HATCH_DENSITY = 0.6
"""Share of the colour in a line of the hatching."""
DIMMED = 0.55
"""Share of its brightness that a hidden patch keeps."""
PERIOD = 14
"""Pixels from one line of the hatching to the next, along a row."""
OUTLINE = "#F0E442"
"""Colours of the line around clinical patches (Okabe and Ito 2008)."""


def overlay(image: Colours, gaze: Plane | None, hidden: Patches, clinical: Patches) -> Colours:
    """Return an image with gaze as heat over it, hidden patches hatched and clinical ones outlined.

    Args:
        image: [S, S, 3], 0.0 to 1.0; S is a multiple of the number of rows of patches.
        gaze: [S, S], 0.0 to 1.0; none where nobody's gaze is known.
        hidden: [rows, rows], patches that the model is not shown.
        clinical: [rows, rows], patches that readers looked at; a line is drawn around each group of them.
    """
    cell = len(image) // len(hidden)
    covered = enlarge(hidden, cell)
    shown = image * np.where(covered, DIMMED, 1)[..., None]
    if gaze is not None:
        shown = _blend(shown, HEAT, MOST_HEAT * gaze)
    shown = _blend(shown, HATCH, HATCH_DENSITY * (covered & _hatching(len(image))))
    return _blend(shown, OUTLINE, outline(clinical, cell).astype(np.float64))


def outline(patches: Patches, cell: int) -> Patches:
    """Return the inner borders [S, S], two pixels wide, of groups of patches [rows, rows] of `cell` pixels."""
    inside = np.pad(enlarge(patches, cell), 2)
    surrounded = inside.copy()
    for axis in (0, 1):
        for shift in (-2, -1, 1, 2):
            surrounded &= np.roll(inside, shift, axis)
    return (inside & ~surrounded)[2:-2, 2:-2]


def enlarge(grid: NDArray[Value], factor: int) -> NDArray[Value]:
    """Repeat each value of a grid [R, C, ...] as a square of `factor` by `factor`."""
    return grid.repeat(factor, axis=0).repeat(factor, axis=1)


def gray(plane: Plane) -> Colours:
    """Return a plane [H, W] as colours [H, W, 3]."""
    return np.repeat(plane[..., None], 3, axis=2).astype(np.float64)


def _hatching(side: int) -> Patches:
    place = np.arange(side)
    return np.asarray((place[:, None] + place[None, :]) % PERIOD < 1)


def _blend(shown: Colours, colour: str, share: Plane) -> Colours:
    return shown * (1 - share[..., None]) + np.array(to_rgb(colour)) * share[..., None]

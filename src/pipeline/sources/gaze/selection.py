"""Which fixations count: those on the image, by the rule of REFLACX's authors (spec CXR-MIM B3)."""

import numpy as np
import numpy.typing as npt

from pipeline.sources.gaze.fixations import Fixations, Floats

BUTTONS = np.array([[10.0, 933.0, 650.0, 1122.0]])
"""Left, top, right and bottom of the buttons that end a reading and reset the view, screen pixels."""
NEAR_BUTTONS = 50.0
"""Screen pixels from the buttons within which a fixation may be meant for them."""
NEAR_IMAGE = 0.5
"""Degrees from the image within which a fixation may be meant for it: about the tracker's accuracy."""


def on_image(fixations: Fixations) -> npt.NDArray[np.bool_]:
    """Tell which fixations were meant for the image, [n].

    Kept are those inside the part shown, and those less than half a degree from it and more than
    50 screen pixels from the buttons. The authors' example scales both axes of a corner's distance by the
    resolution along x; here each axis has its own.
    """
    screen = _on_screen(fixations)
    shown = _rounded(fixations.on_screen)
    outside = _beyond(screen, shown)
    scale = _spans(_rounded(fixations.shown)) / _spans(shown)  # image pixels per screen pixel
    degrees = np.hypot(*(outside * scale / fixations.resolution).T)
    from_buttons = np.hypot(*_beyond(screen, BUTTONS).T)
    kept: npt.NDArray[np.bool_] = ~outside.any(axis=1) | ((from_buttons > NEAR_BUTTONS) & (degrees < NEAR_IMAGE))
    return kept


def _on_screen(fixations: Fixations) -> Floats:
    """Return the positions in pixels of the screen, [n, 2]."""
    source, target = _rounded(fixations.shown), _rounded(fixations.on_screen)
    position: Floats = (fixations.position - source[:, :2]) * _spans(target) / _spans(source) + target[:, :2]
    return position


def _beyond(points: Floats, rectangles: Floats) -> Floats:
    """Return how far points are outside rectangles along x and y, [n, 2]; 0 inside."""
    distance: Floats = np.maximum(np.maximum(rectangles[:, :2] - points, points - rectangles[:, 2:]), 0.0)
    return distance


def _rounded(rectangles: Floats) -> Floats:
    return np.rint(rectangles)


def _spans(rectangles: Floats) -> Floats:
    spans: Floats = rectangles[:, 2:] - rectangles[:, :2]
    return spans

"""Histograms of oriented gradients as strokes along the edges that they tell of."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]

THINNEST = 2.0
"""Least width of a stroke, pixels."""
RELATIVE_WIDTH = 1 / 12
"""Width of a stroke as a share of its cell's side, where that is wider."""
LEVELS = 17
"""Brightnesses that are told apart, 0.5 among them; without end of them a figure's file would be twice as large."""


def glyphs(histograms: Values, angles: Values, side: int) -> NDArray[np.float64]:
    """Draw a grid of histograms: in each cell a stroke through its centre for each bin.

    Strokes lie across their bin's gradient, and so along the edge. Their brightness is the square of the bin's value:
    the squares of an L2-normalised histogram sum to 1, so that one clear edge is white and a cell of all directions,
    such as noise gives, is dark.

    Args:
        histograms: [R, C, orientations], L2-normalised; values below 0 or above 1 are clipped.
        angles: [orientations], direction of the gradients of each bin, radians from right to down.
        side: Side of a cell, pixels.

    Returns:
        [R * side, C * side], 0.0 (no stroke) to 1.0.
    """
    rows, columns = histograms.shape[:2]
    strength = np.clip(histograms, 0, 1) ** 2
    drawn = np.zeros((rows, side, columns, side))
    for bin_strength, stroke in zip(np.moveaxis(strength, 2, 0), strokes(angles, side), strict=True):
        np.maximum(drawn, bin_strength[:, None, :, None] * stroke[None, :, None, :], out=drawn)
    return np.rint(drawn * (LEVELS - 1)).reshape(rows * side, columns * side) / (LEVELS - 1)


def strokes(angles: Values, side: int) -> NDArray[np.float64]:
    """Return one smooth-edged stroke across each gradient direction, [orientations, side, side], 0.0 to 1.0."""
    offsets = np.arange(side) + 0.5 - side / 2
    right, down = offsets[None, None, :], offsets[None, :, None]
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    across = np.abs(right * cosine + down * sine)
    along = np.abs(down * cosine - right * sine)
    half_width = max(THINNEST, side * RELATIVE_WIDTH) / 2
    covered: NDArray[np.float64] = np.clip(half_width + 0.5 - across, 0, 1) * np.clip(side / 2 - along, 0, 1)
    return covered

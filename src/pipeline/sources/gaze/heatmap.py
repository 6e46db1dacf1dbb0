"""Heat maps of fixations by the recipe of REFLACX's authors, computed one axis at a time (spec CXR-MIM B3).

Each fixation is a Gaussian density of one degree of visual angle, cut off at the rectangle on the screen and
weighted by its duration. Its covariance is diagonal, so it is an outer product, and the sum over all
fixations one product of two small matrices.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.sources.gaze.fixations import Fixations, Floats

Shape = tuple[int, int]
"""Height and width, pixels."""

HeatMap = npt.NDArray[np.float32]


def heatmap(fixations: Fixations, image_shape: Shape, output_shape: Shape | None = None) -> HeatMap:
    """Return where a reader looked, as a distribution over the image.

    Args:
        fixations: One reading, in pixels of the image.
        image_shape: Height and width of the image, pixels.
        output_shape: Height and width of the map, by default the image's. A smaller map is the exact area sum of
            the full-size one, and costs in proportion to its size.

    Returns:
        Shares of the looking time, [h, w], non-negative, summing to 1.

    Raises:
        ValueError: No time was spent on the image.
    """
    output_shape = output_shape or image_shape
    across, down = (_profiles(fixations, axis, image_shape[1 - axis], output_shape[1 - axis]) for axis in (0, 1))
    total: Floats = (fixations.duration[:, None] * down).T @ across
    mass = total.sum()
    if not mass > 0:
        raise ValueError("no fixation falls on the part of the image that was shown")
    total /= mass
    return total.astype(np.float32)


def mean_heatmap(maps: Sequence[HeatMap]) -> HeatMap:
    """Return the mean of the heat maps, each [h, w], of an image's readings: each reader counts alike."""
    return np.asarray(np.mean(maps, axis=0, dtype=np.float64), np.float32)


def as_gray(shares: HeatMap) -> npt.NDArray[np.uint8]:
    """Return a heat map, [h, w], as an 8-bit image whose peak is 255."""
    return np.asarray(np.rint(shares * (255.0 / shares.max())), np.uint8)


def _profiles(fixations: Fixations, axis: int, size: int, cells: int) -> Floats:
    """Return the density of each fixation along one axis, summed over the pixels of each cell, [n, cells]."""
    centre, spread = fixations.position[:, axis, None], fixations.resolution[:, axis, None]
    low, high = np.rint(fixations.shown[:, axis, None]), np.rint(fixations.shown[:, axis + 2, None])
    pixels = np.arange(size)
    density = np.exp(-0.5 * ((pixels - centre) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
    return _pooled(np.where((pixels >= low) & (pixels < high), density, 0.0), cells)


def _pooled(density: Floats, cells: int) -> Floats:
    """Sum over `cells` equal intervals; a pixel on a border belongs to both sides by its shares."""
    n, size = density.shape
    if cells == size:
        return density
    below = np.concatenate([np.zeros((n, 1)), np.cumsum(density, axis=1)], axis=1)
    borders = np.linspace(0, size, cells + 1)
    whole = np.minimum(borders.astype(np.intp), size - 1)
    at_borders = below[:, whole] + (borders - whole) * density[:, whole]
    return np.asarray(np.maximum(np.diff(at_borders, axis=1), 0.0))

"""Many small balls drawn at once."""

import numpy as np

from pipeline.sources.phantom.intervals import Map


def splat(shape: tuple[int, int], balls: Map) -> Map:
    """Return the sum of the chords of balls, [height, width].

    `balls` is [4, n]: row, column, radius (pixels) and the chord through the centre, times attenuation.
    """
    canvas = np.zeros(shape, np.float32)
    # A pixel farther than this from the pixel nearest to the centre cannot be inside.
    reach = np.rint(balls[2]).astype(np.intp)
    # Patches of one size at a time, so that a few large balls do not enlarge the patches of all.
    for size in np.flatnonzero(np.bincount(reach)):
        canvas += _splat_within(shape, balls[:, reach == size], int(size))
    return canvas


def _splat_within(shape: tuple[int, int], balls: Map, reach: int) -> Map:
    """Add up the chords of balls [row, column, radius, peak] x [n] of radius `reach` pixels at most."""
    height, width = shape
    row, column, radius, peak = balls[
        :,
        (balls[0] > -reach) & (balls[0] < height + reach) & (balls[1] > -reach) & (balls[1] < width + reach),
    ]
    top, left = np.rint(row).astype(np.int32), np.rint(column).astype(np.int32)
    steps = np.arange(-reach, reach + 1, dtype=np.int32)
    squared = ((steps[:, None] + (top - row)) ** 2)[:, None] + ((steps[:, None] + (left - column)) ** 2)[None]
    chord = peak * np.sqrt(np.maximum(1 - squared / radius**2, np.float32(0)))
    # Patches hang over the edge: draw on a padded canvas, then cut it.
    pad = 2 * reach + 1
    stride = width + 2 * pad
    target = ((steps[:, None] + top + pad) * stride)[:, None] + (steps[:, None] + left + pad)[None]
    canvas = np.bincount(target.ravel(), weights=chord.ravel(), minlength=(height + 2 * pad) * stride)
    padded: Map = canvas.reshape(-1, stride)[: height + 2 * pad].astype(np.float32)
    return padded[pad : pad + height, pad : pad + width]

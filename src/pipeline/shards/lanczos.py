"""Antialiased resampling of gray images by Lanczos's filter: the result of Pillow's in less than half its time.

Resampling rows and columns apart is a product with a sparse matrix from either side. The weights are whole
numbers, and every sum of products stays below 2^24, which 32-bit floating point adds without rounding: equal
images give equal bytes on any processor, whatever the order or the instructions of the sums.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

LOBES = 3
"""Half the width of the filter, in pixels of the smaller of the two images."""

_WEIGHT = 2**12  # sum of the weights of a pixel
_LEVEL = 2**3  # steps of a gray level between the two products: 255 * 8 * 4096 * 1.8 (sizes of all weights) < 2^24

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reduction:
    """Say what a decoder made of a picture that it did not decode whole."""

    rows: float
    """Rows that the picture covers; the last may reach beyond it."""
    columns: float
    """Columns that the picture covers."""
    blur: float = 0.0
    """Variance along an axis of the area that a pixel is the average of, in square pixels: 1/12 at most."""


def resample(image: NDArray[np.uint8], size: tuple[int, int], reduction: Reduction | None = None) -> NDArray[np.uint8]:
    """Resample [height, width] to `size` (height, width), enlarging or shrinking.

    The result is within one gray level of Pillow's, but where the filter overshoots black or white: both cut that off
    between rows and columns, and Pillow's order of them varies. Where the image is the reduction of a larger one, the
    result is nearly that of resampling the larger: parts of a pixel count, and detail that averaging made faint is
    restored.
    """
    (height, width), (rows, columns) = image.shape, size
    given = reduction or Reduction(height, width)
    turned = axis_weights(width, columns, given.columns, given.blur) @ cv2.transpose(image).astype(np.float32)
    narrowed = cv2.transpose(_rounded(turned, _WEIGHT // _LEVEL, 255 * _LEVEL))
    resampled = axis_weights(height, rows, given.rows, given.blur) @ narrowed
    return _rounded(resampled, _WEIGHT * _LEVEL, 255).astype(np.uint8)


def _rounded(sums: NDArray[np.float32], divisor: int, most: int) -> NDArray[np.float32]:
    """Divide, round and limit to 0 to `most`, in place."""
    np.multiply(sums, np.float32(1 / divisor), out=sums)
    np.rint(sums, out=sums)
    return np.clip(sums, 0, most, out=sums)


@lru_cache(maxsize=256)
def axis_weights(length: int, wanted: int, extent: float, blur: float) -> Any:
    """Return the sparse matrix [wanted, length] that resamples one axis; its rows are whole and of one sum."""
    scale = extent / wanted
    stretch = max(scale, 1.0)
    reach = LOBES * stretch + 1
    center = (np.arange(wanted)[:, np.newaxis] + 0.5) * scale
    taps = np.maximum(center - reach + 0.5, 0).astype(np.int64) + np.arange(int(np.ceil(reach)) * 2 + 1)
    filtered = _sharpened((taps + 0.5 - center) / stretch, 1 / stretch, blur) * (taps < length)
    whole = np.rint(filtered / filtered.sum(axis=1, keepdims=True) * _WEIGHT)
    # The largest weight takes what rounding left over, so that an even image stays even.
    whole[np.arange(wanted), whole.argmax(axis=1)] += _WEIGHT - whole.sum(axis=1)
    row, tap = np.nonzero(whole)
    places = row.astype(np.int32), taps[row, tap].astype(np.int32)
    return csr_array((whole[row, tap].astype(np.float32), places), shape=(wanted, length))


def _sharpened(distance: Floats, pixel: float, blur: float) -> Floats:
    """Return the filter less half the blur's variance times its second difference, which undoes the blur's slope."""
    middle = _lanczos(distance)
    if not blur:
        return middle
    return middle - blur / 2 * (_lanczos(distance - pixel) - 2 * middle + _lanczos(distance + pixel))


def _lanczos(distance: Floats) -> Floats:
    return np.asarray(np.sinc(distance) * np.sinc(distance / LOBES) * (np.abs(distance) < LOBES))

"""The size a stored JPEG has when it is decoded at a fraction of its size."""

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 8  # pixels of a short side; of fewer, decoders do not choose the eighth that is asked for


def decoded_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return height and width at the smallest eighth whose short side is at least `short_side`; unset, as stored.

    So are images whose short side is below 8 pixels.
    """
    (size,) = decoded_sizes(np.array([[height, width]]), short_side).tolist()
    return size[0], size[1]


def decoded_sizes(sizes: NDArray[np.int64], short_side: int | None) -> NDArray[np.int64]:
    """Return heights and widths [N, 2] of images of stored sizes [N, 2], as `decoded_size` does."""
    if short_side is None:
        return sizes
    short = sizes.min(axis=1, keepdims=True)
    eighths: NDArray[np.int64] = np.clip(8 * (short_side - 1) // short + 1, 1, 8)
    return -(-sizes * np.where(short < _SMALLEST, 8, eighths) // 8)


def decoded_extents(stored: NDArray[np.int64], decoded: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return heights and widths [N, 2] of whole pictures of stored sizes in pixels of their decoded images.

    They are fractional: at a half, 129 rows are 64.5 rows of the 65 that are decoded, since a decoder rounds up.
    """
    eighths = 8 * decoded.max(axis=1, keepdims=True) // stored.max(axis=1, keepdims=True)
    return np.asarray(stored * eighths / 8)

"""The size a stored JPEG has when it is decoded at a fraction of its size."""

import numpy as np
from numpy.typing import NDArray


def decoded_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return height and width at the smallest eighth whose short side is at least `short_side`; unset, as stored."""
    (size,) = decoded_sizes(np.array([[height, width]]), short_side).tolist()
    return size[0], size[1]


def decoded_sizes(sizes: NDArray[np.int64], short_side: int | None) -> NDArray[np.int64]:
    """Return heights and widths [N, 2] of images of stored sizes [N, 2], as `decoded_size` does."""
    if short_side is None:
        return sizes
    eighths: NDArray[np.int64] = np.clip(8 * (short_side - 1) // sizes.min(axis=1, keepdims=True) + 1, 1, 8)
    return -(-sizes * eighths // 8)

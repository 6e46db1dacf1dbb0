"""Gray images in memory, and the size they are stored at."""

import numpy as np
from numpy.typing import NDArray

from pipeline.shards.lanczos import resample

GrayImage = NDArray[np.uint8]
"""Image [height, width], 0 (black) to 255 (white)."""


def resize_short_side(image: GrayImage, short_side: int) -> GrayImage:
    """Resize by Lanczos's filter so that the shorter side has `short_side` pixels, keeping the aspect ratio."""
    height, width = image.shape
    return resample(image, size_by_short_side(height, width, short_side))


def size_by_short_side(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return the height and width of the same aspect whose smaller is `short_side`."""
    factor = short_side / min(height, width)
    return max(short_side, round(height * factor)), max(short_side, round(width * factor))

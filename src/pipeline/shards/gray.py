"""Gray images in memory and in a shard: resizing, and the JPEG they are kept as."""

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

GrayImage = NDArray[np.uint8]
"""Image [height, width], 0 (black) to 255 (white)."""


def resize_short_side(image: GrayImage, short_side: int) -> GrayImage:
    """Resize so that the shorter side has `short_side` pixels, keeping the aspect ratio."""
    height, width = image.shape
    factor = short_side / min(height, width)
    size = max(short_side, round(width * factor)), max(short_side, round(height * factor))
    # Area averaging is exact antialiasing when shrinking but leaves blocks when enlarging.
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), dtype=np.uint8)


def encode_jpeg(image: GrayImage, quality: int) -> bytes:
    """Encode as a gray JPEG; equal pixels give equal bytes."""
    contiguous = np.ascontiguousarray(image)[:, :, np.newaxis]
    return bytes(simplejpeg.encode_jpeg(contiguous, quality=quality, colorspace="GRAY"))


def decode_jpeg(content: bytes) -> GrayImage:
    """Decode a JPEG of any colours to gray. Raises `ValueError` where it is damaged."""
    decoded = simplejpeg.decode_jpeg(content, colorspace="GRAY", strict=True)
    return np.asarray(decoded[:, :, 0], dtype=np.uint8)

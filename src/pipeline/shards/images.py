"""Any raw radiograph to 8-bit gray of a given size."""

from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from pipeline.records.errors import UserError

GrayImage = NDArray[np.uint8]
"""Image [height, width], 0 (black) to 255 (white)."""

_SIXTEEN_TO_EIGHT_BITS = 257.0


def read_gray(path: Path) -> GrayImage:
    """Decode a JPEG or PNG of any depth and channels to 8-bit gray.

    Raises `UserError` naming the file where it cannot be decoded to its last pixel.
    """
    content = path.read_bytes()
    try:
        return _decode_jpeg(content) if simplejpeg.is_jpeg(content) else _decode_other(content)
    except (ValueError, cv2.error) as error:
        raise UserError(
            f"{path} is not a whole image ({error}); restore it and run snakemake with --forcerun fetch_corpus"
        ) from error


def resize_short_side(image: GrayImage, short_side: int) -> GrayImage:
    """Resize so that the shorter side has `short_side` pixels, keeping the aspect ratio."""
    height, width = image.shape
    factor = short_side / min(height, width)
    size = max(short_side, round(width * factor)), max(short_side, round(height * factor))
    # Area averaging is exact antialiasing when shrinking but leaves blocks when enlarging.
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), dtype=np.uint8)


def encode_gray(image: GrayImage, quality: int) -> bytes:
    """Encode as a gray JPEG; equal pixels give equal bytes."""
    contiguous = np.ascontiguousarray(image)[:, :, np.newaxis]
    return bytes(simplejpeg.encode_jpeg(contiguous, quality=quality, colorspace="GRAY"))


def decode_gray(content: bytes) -> GrayImage:
    """Decode a gray JPEG written by `encode_gray`. Raises `ValueError` where it is damaged."""
    return _decode_jpeg(content)


def _decode_jpeg(content: bytes) -> GrayImage:
    decoded = simplejpeg.decode_jpeg(content, colorspace="GRAY", strict=True)
    return np.asarray(decoded[:, :, 0], dtype=np.uint8)


def _decode_other(content: bytes) -> GrayImage:
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("no decoder accepts it")
    if decoded.dtype == np.uint16:
        decoded = np.round(decoded / _SIXTEEN_TO_EIGHT_BITS).astype(np.uint8)
    if decoded.dtype != np.uint8:
        raise ValueError(f"pixels are {decoded.dtype}, not 8 or 16-bit integers")
    if decoded.ndim == 2:
        return np.asarray(decoded, dtype=np.uint8)
    # The alpha channel of some ChestX-ray14 files is opaque everywhere and carries nothing.
    return np.asarray(cv2.cvtColor(decoded[:, :, :3], cv2.COLOR_BGR2GRAY), dtype=np.uint8)

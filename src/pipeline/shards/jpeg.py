"""JPEG files: the form in which most radiographs come, and in which all are stored."""

import re
from typing import Any

import cv2
import numpy as np

from pipeline.records.errors import UserError
from pipeline.shards.gray import GrayImage
from pipeline.shards.lanczos import Reduction

try:
    import simplejpeg
except ImportError:  # as on many GPU images, where shards are only read
    simplejpeg = None

DECODER = f"simplejpeg {simplejpeg.__version__}" if simplejpeg else f"opencv {cv2.__version__}"
"""Name and version of what decodes here; libraries differ by a gray level."""

_START, _SCAN, _END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
_PADDED = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_EIGHTHS = 8
_AVERAGED = (1, 2, 4)  # at these libjpeg averages pixels, else it leaves out frequencies


def is_jpeg(content: bytes) -> bool:
    """Tell a JPEG, whole or damaged, by how it starts."""
    return content.startswith(_START)


def encode_jpeg(image: GrayImage, quality: int) -> bytes:
    """Encode as a gray JPEG; equal pixels give equal bytes. Raises `UserError` where simplejpeg is not installed."""
    if simplejpeg is None:
        raise UserError("images are stored by simplejpeg, which is not installed; install it where shards are written")
    contiguous = np.ascontiguousarray(image)[:, :, np.newaxis]
    return bytes(simplejpeg.encode_jpeg(contiguous, quality=quality, colorspace="GRAY"))


def decode_jpeg(content: bytes, short_side: int | None = None) -> GrayImage:
    """Decode a JPEG of any colours to gray, as it lies in the file: an orientation in EXIF is not applied.

    With `short_side` it is decoded at the smallest eighth of its size at which its shorter side still has as many
    pixels, rounded up (a part of the cosine transform is left out), or whole where no eighth has; without simplejpeg
    it is always decoded whole. Zeros before the end marker do no harm. Raises `ValueError` where it is damaged.
    """
    if simplejpeg is None:
        return decode_by_opencv(content)
    least = short_side or 0
    try:
        decoded = _decode_strictly(content, least)
    except ValueError as error:
        decoded = _decode_strictly(_without_padding(content, error), least)
    return np.asarray(decoded[:, :, 0], dtype=np.uint8)


def _decode_strictly(content: bytes, least: int) -> Any:
    return simplejpeg.decode_jpeg(content, colorspace="GRAY", min_height=least, min_width=least, strict=True)


def _without_padding(content: bytes, error: ValueError) -> bytes:
    """Take out zeros between picture and end marker, if an error is about no more than these; else raise it.

    Bytes of other values there are what is left of a picture in which a bit turned: of such files, half give the same
    message, and nothing else tells that the picture is another.
    """
    padded, end = _PADDED.fullmatch(str(error)), content.rfind(_END)
    start = end - int(padded[1]) if padded else end
    if start == end or any(content[start:end]):
        raise error
    return content[:start] + content[end:]


def decode_by_opencv(content: bytes) -> GrayImage:
    """Decode whole by OpenCV, within two gray levels of simplejpeg. Raises `ValueError` where it is damaged."""
    # Some versions of OpenCV return what there is of a file cut short.
    if content.rfind(_END) < content.rfind(_SCAN):
        raise ValueError("Premature end of JPEG file")
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if decoded is None:
        raise ValueError("OpenCV does not accept it")
    return np.asarray(decoded, dtype=np.uint8)


def jpeg_size(content: bytes) -> tuple[int, int]:
    """Return height and width of the whole image. Raises `ValueError` where the header is damaged."""
    if simplejpeg is None:
        height, width = decode_by_opencv(content).shape
        return height, width
    height, width, *_ = simplejpeg.decode_jpeg_header(content)
    return int(height), int(width)


def reduction_of(whole: tuple[int, int], decoded: tuple[int, ...]) -> Reduction:
    """Return what `decode_jpeg` did to a picture, by its height and width whole and decoded."""
    eighths = min(max(decoded) * _EIGHTHS // max(whole), _EIGHTHS)
    height, width = whole
    blur = (1 - (eighths / _EIGHTHS) ** 2) / 12 if eighths in _AVERAGED else 0.0
    return Reduction(height * eighths / _EIGHTHS, width * eighths / _EIGHTHS, blur)

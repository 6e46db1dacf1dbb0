"""Any raw radiograph to 8-bit gray, whole or as it is stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.arrays import read_row, split_row
from pipeline.shards.dicom import NoDecoderError, decode_dicom
from pipeline.shards.gray import GrayImage, size_by_short_side
from pipeline.shards.jpeg import decode_jpeg, is_jpeg, jpeg_size, reduction_of
from pipeline.shards.lanczos import resample
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN

_SIXTEEN_TO_EIGHT_BITS = 257.0
_DICOM_MAGIC = slice(128, 132)
_LONGEST = 16  # long sides of an image in units of its short side; no radiograph is as long
_WAY_OUT = (
    "restore it, or take it out of its folder and set inventory.allow_missing of its corpus, "
    f"and {TAKE_INVENTORY_AGAIN}"
)
_DECODED_AT = {"exact": 2, "fast": 1}  # least size of a decoded JPEG in units of the stored size


@dataclass(frozen=True)
class Stored:
    """Hold an image as it is stored, and the size of the file it is of."""

    pixels: GrayImage
    """Resized image, before it is encoded."""
    height: int
    """Height of the image in the file, pixels."""
    width: int
    """Width of the image in the file, pixels."""


class _Decoded(NamedTuple):
    """An image, perhaps decoded at a part of its size, and the height and width of the whole."""

    pixels: GrayImage
    height: int
    width: int


def read_gray(path: Path) -> GrayImage:
    """Decode a JPEG, a PNG of any depth and channels, a DICOM file, or the row of an array (`file.npy#row`).

    Raises `UserError` naming the file where it cannot be decoded to its last pixel, or where its
    compression needs a package that is not installed.
    """
    with _naming(path):
        return _decode(None, path).pixels


def read_stored(content: bytes | None, path: Path, settings: ShardSettings) -> Stored:
    """Decode and resize an image of any kind that `read_gray` reads, a JPEG no larger than its resizing needs.

    Args:
        content: Bytes of the file where they are at hand; None to read them, or the row of an array.
        path: Where the image is, as for `read_gray`.
        settings: The stored short side, and how exact the pixels are.

    Raises:
        UserError: The file cannot be decoded, or the image is more than 16 times as long as wide, or as wide as long;
            it is named as by `read_gray`.
    """
    with _naming(path):
        decoded = _decode(content, path, _DECODED_AT[settings.decoding] * settings.image_size)
    height, width = decoded.height, decoded.width
    if max(height, width) > _LONGEST * min(height, width):
        raise UserError(f"{path} of {width} x {height} pixels is a strip and no radiograph; {_WAY_OUT}")
    size = size_by_short_side(height, width, settings.image_size)
    reduction = reduction_of((height, width), decoded.pixels.shape)
    return Stored(resample(decoded.pixels, size, reduction), height, width)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what a decoder complains of into a `UserError` that names the file."""
    try:
        yield
    except NoDecoderError as error:
        raise UserError(f"{path} {error}") from error
    except (ValueError, EOFError, OSError, cv2.error) as error:
        raise UserError(f"{path} is not a whole image ({str(error).strip()}); {_WAY_OUT}") from error


def _decode(content: bytes | None, path: Path, short_side: int | None = None) -> _Decoded:
    """Decode to gray, a JPEG no smaller than `short_side` where that is given."""
    file, row = split_row(path)
    if row is not None:
        return _whole(read_row(file, row))
    content = file.read_bytes() if content is None else content
    if content[_DICOM_MAGIC] == b"DICM" or path.suffix in (".dcm", ".dicom"):
        return _whole(decode_dicom(content))
    if not is_jpeg(content):
        return _whole(_decode_other(content))
    pixels = decode_jpeg(content, short_side)
    return _Decoded(pixels, *jpeg_size(content)) if short_side else _whole(pixels)


def _whole(pixels: GrayImage) -> _Decoded:
    return _Decoded(pixels, *pixels.shape)


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

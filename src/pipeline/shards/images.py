"""Any raw radiograph to 8-bit gray."""

from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from pipeline.records.errors import UserError
from pipeline.shards.arrays import read_row, split_row
from pipeline.shards.dicom import NoDecoderError, decode_dicom
from pipeline.shards.gray import GrayImage, decode_jpeg

_SIXTEEN_TO_EIGHT_BITS = 257.0
_DICOM_MAGIC = slice(128, 132)


def read_gray(path: Path) -> GrayImage:
    """Decode a JPEG, a PNG of any depth and channels, a DICOM file, or the row of an array (`file.npy#row`).

    Raises `UserError` naming the file where it cannot be decoded to its last pixel, or where its
    compression needs a package that is not installed.
    """
    file, row = split_row(path)
    try:
        return _decode(file.read_bytes(), path.suffix) if row is None else read_row(file, row)
    except NoDecoderError as error:
        raise UserError(f"{path} {error}") from error
    except (ValueError, cv2.error) as error:
        raise UserError(
            f"{path} is not a whole image ({error}); restore it and run snakemake with --forcerun fetch_corpus"
        ) from error


def file_part(path: Path) -> Path:
    """Return the file that holds an image: of `file.npy#row` the part before the mark, else the path itself."""
    return split_row(path)[0]


def _decode(content: bytes, ending: str) -> GrayImage:
    if content[_DICOM_MAGIC] == b"DICM" or ending in (".dcm", ".dicom"):
        return decode_dicom(content)
    return decode_jpeg(content) if simplejpeg.is_jpeg(content) else _decode_other(content)


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

"""One row of an array file as a gray image: how Symile-MIMIC publishes its radiographs (spec PaCX 1.3)."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ROW = re.compile(r"(?P<file>.+\.npy)#(?P<row>\d+)")
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, np.newaxis, np.newaxis]
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)[:, np.newaxis, np.newaxis]


def split_row(path: Path) -> tuple[Path, int | None]:
    """Return the file and the row that `file.npy#row` names; the row is None where a path names none."""
    match = _ROW.fullmatch(path.name)
    return (path.with_name(match["file"]), int(match["row"])) if match else (path, None)


def read_row(file: Path, row: int) -> NDArray[np.uint8]:
    """Read one image of an array file as gray [height, width], 0 to 255, without reading the others.

    The array is [rows, height, width] or [rows, 3, height, width]: 8-bit gray values, or floating-point
    channels normalised by ImageNet's mean and deviation. Raises `ValueError` where it is anything else, is cut
    short, has no such row, or there a value that is no finite number.
    """
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    if array.ndim not in (3, 4) or row >= len(array):
        raise ValueError(f"the array of shape {array.shape} has no image {row}")
    image = np.asarray(array[row])
    channels = image.shape[:-2]
    if image.dtype == np.uint8 and channels in ((), (3,)):
        return np.asarray(np.rint(image.mean(axis=0)) if channels else image, dtype=np.uint8)
    if not np.issubdtype(image.dtype, np.floating) or channels != (3,):
        raise ValueError(
            f"images of {image.dtype} and shape {image.shape} are neither 8-bit gray nor 3 normalised channels"
        )
    if not np.isfinite(image).all():
        raise ValueError(f"image {row} has a pixel that is no finite number")
    gray = (image.astype(np.float32) * _DEVIATION + _MEAN).mean(axis=0)
    return np.asarray(np.rint(np.clip(gray, 0, 1) * 255), dtype=np.uint8)

"""Whether a file can be a whole chest radiograph, told without decoding it."""

from typing import BinaryIO, NamedTuple

import numpy as np

from pipeline.sources.dicom_headers import read_header, why_no_chest_radiograph

PRESENT = "present"
EMPTY = "empty"
TRUNCATED = "truncated"
UNKNOWN_FORMAT = "unknown_format"
REJECTED = "rejected"

_MARKERS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND\xaeB`\x82"}
"""First and last bytes of JPEG and PNG files."""
_ARRAY = b"\x93NUMPY"
_DICOM = b"DICM"
_DICOM_PREAMBLE = 128
_TAIL_BYTES = 1024  # writers may pad after the end marker


class FileState(NamedTuple):
    """Hold the inventory's word for a file, and why it is not `present`."""

    state: str
    reason: str | None = None


def image_state(stream: BinaryIO, size: int) -> FileState:
    """Tell from the first and last of a file's `size` bytes whether it can be a whole chest radiograph.

    JPEG and PNG files carry an end marker, DICOM and array files declare their length, so a download
    cut short shows. A DICOM file whose header contradicts a chest radiograph is `rejected`.
    """
    if size == 0:
        return FileState(EMPTY, "it has no bytes")
    head = stream.read(_DICOM_PREAMBLE + len(_DICOM))
    stream.seek(0)
    if head.startswith(_ARRAY):
        return _array_state(stream, size)
    if head.endswith(_DICOM) and len(head) > _DICOM_PREAMBLE:
        return _dicom_state(stream)
    for start, end in _MARKERS.items():
        if head.startswith(start):
            return _marked_state(stream, size, end)
    return FileState(UNKNOWN_FORMAT, "it is no JPEG, PNG, DICOM or NumPy file")


def _marked_state(stream: BinaryIO, size: int, end: bytes) -> FileState:
    stream.seek(max(0, size - _TAIL_BYTES))
    return FileState(PRESENT) if end in stream.read() else FileState(TRUNCATED, "it has no end marker")


def _dicom_state(stream: BinaryIO) -> FileState:
    try:
        header = read_header(stream)
    except ValueError as error:
        return FileState(UNKNOWN_FORMAT, str(error))
    if reason := why_no_chest_radiograph(header):
        return FileState(REJECTED, reason)
    return (
        FileState(PRESENT) if header.pixels_whole else FileState(TRUNCATED, "its pixel data are missing or cut short")
    )


def _array_state(stream: BinaryIO, size: int) -> FileState:
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
    except ValueError as error:
        return FileState(UNKNOWN_FORMAT, f"its NumPy header cannot be read: {error}")
    declared = stream.tell() + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if declared > size:
        return FileState(TRUNCATED, f"it has {size} of {declared} bytes")
    return FileState(PRESENT)

"""What the header of a DICOM file says, without its pixels."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

RADIOGRAPHY = ("CR", "DX", "DR")
"""Modalities of a radiograph; DR is no term of the standard but is written."""

UNREADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, struct.error)
"""What pydicom raises where a file is not as the standard says."""

_CHEST = re.compile(r"CHEST|THORAX")
_VIEW = (
    r"(AP|PA|LL|RL|LLD|RLD|LLO|RLO|LAO|RAO|LPO|RPO|LAT|LATERAL|LEFT|RIGHT|XTABLE|OBL|OBLIQUE|LORDOTIC|DECUB|SWIMMERS|"
    r"ERECT|UPRIGHT|SUPINE|PORTABLE|ANTERO|POSTERO|ANTEROPOSTERIOR|POSTEROANTERIOR)([ _-]|$)"
)
_PROJECTION = re.compile(_VIEW)
"""A term of PS3.3 C.8.1.1.1.2 or a word that hospitals write instead, alone or at the front."""
_POSITION = re.compile(rf"(HF|FF|LF|RF|AF|PF)(S|P|DL|DR)$|{_VIEW}")
"""A term of PS3.3 C.7.3.1.1.2; some sets write the projection there."""

_KEYWORDS = (
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "PatientPosition",
    "PatientSex",
    "PatientAge",
    "PhotometricInterpretation",
    "NumberOfFrames",
)
_PIXEL_DATA = {"little": b"\xe0\x7f\x10\x00", "big": b"\x7f\xe0\x00\x10"}
_UNDEFINED_LENGTH = 0xFFFFFFFF
_END_OF_ITEMS = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_TAIL_BYTES = 1024  # padding may follow the pixels


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """Hold what matters of a header; texts are in upper case, and empty where the header says nothing."""

    pixels_whole: bool
    """Whether the file goes on to the end of its pixel data."""
    modality: str
    body_part: str
    view: str
    patient_position: str
    sex: str
    age: str
    """Such as `058Y`."""
    photometric: str
    frames: str


def read_header(stream: BinaryIO) -> DicomHeader:
    """Read the header of an open DICOM file. Raises `ValueError` where it has none that can be read."""
    # pydicom takes half a second to import and most corpora hold no DICOM.
    from pydicom import dcmread
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        dataset = dcmread(stream, stop_before_pixels=True, specific_tags=list(_KEYWORDS))
        whole = _pixels_whole(stream, dataset.file_meta.TransferSyntaxUID)
        return DicomHeader(whole, *(_text(dataset, keyword) for keyword in _KEYWORDS))
    except (InvalidDicomError, BytesLengthException, *UNREADABLE) as error:
        raise ValueError(f"its DICOM header cannot be read: {error}") from error


def why_no_chest_radiograph(header: DicomHeader) -> str | None:
    """Return the first thing in a header that no chest radiograph has, None where there is none.

    What a header leaves out counts as right, since de-identification empties many.
    """
    return next(_contradictions(header), None)


def _contradictions(header: DicomHeader) -> Iterator[str]:
    if header.modality and header.modality not in RADIOGRAPHY:
        yield f"Modality '{header.modality}' is none of {', '.join(RADIOGRAPHY)}"
    if header.body_part and not _CHEST.search(header.body_part):
        yield f"Body Part Examined '{header.body_part}' is neither chest nor thorax"
    if header.view and not _PROJECTION.match(header.view):
        yield f"View Position '{header.view}' is no projection of the chest"
    if header.patient_position and not _POSITION.match(header.patient_position):
        yield f"Patient Position '{header.patient_position}' is neither a position nor a projection"
    if header.photometric and header.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        yield f"Photometric Interpretation '{header.photometric}' is not gray"
    if header.frames not in ("", "1"):
        yield f"it holds {header.frames} frames"


def _text(dataset: "Dataset", keyword: str) -> str:
    """Return a text as it stands in the file: pydicom's own conversion warns of every odd one."""
    raw = dataset.get_item(keyword)
    value = raw.value if raw is not None else b""
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip(" \0").upper()


def _pixels_whole(stream: BinaryIO, syntax: "UID") -> bool:
    """Compare the length that the pixel data declare, where the header reader stopped, with the file's end."""
    if syntax.is_deflated:
        return True
    order: Literal["little", "big"] = "little" if syntax.is_little_endian else "big"
    element = stream.read(12)
    length = int.from_bytes(element[4:8] if syntax.is_implicit_VR else element[8:12], order)
    start = stream.tell() - (4 if syntax.is_implicit_VR else 0)
    size = stream.seek(0, SEEK_END)
    if length != _UNDEFINED_LENGTH:
        return element.startswith(_PIXEL_DATA[order]) and start + length <= size
    stream.seek(max(start, size - _TAIL_BYTES))
    return _END_OF_ITEMS in stream.read()

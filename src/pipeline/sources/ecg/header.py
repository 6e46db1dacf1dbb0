"""The header of a WFDB record: which files hold which signals, and how samples become millivolts."""

import re
from functools import lru_cache
from typing import NamedTuple

DEFAULT_GAIN = 200.0
"""Units per millivolt where the header gives none or zero (WFDB, header(5))."""

_RECORD = re.compile(r"[^\s/]+\s+(\d+)\s+([\d.eE+-]+)(?:/\S*)?(?:\s+(\d+).*)?")
_STORAGE = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?")
_SCALE = re.compile(r"([\d.eE+-]+)(?:\(([+-]?\d+)\))?(?:/(\S+))?")
_FIELDS = 9


class Storage(NamedTuple):
    """Say how the samples of a signal are stored."""

    format: int
    """The format's number; 16 is 16-bit little-endian."""
    plain: bool
    """Whether there is one sample to a frame, and no shift in time."""
    offset: int
    """Bytes before the first sample: 24 in the MATLAB files of the CinC challenges."""


class Scale(NamedTuple):
    """Say what a sample stands for."""

    gain: float
    """Steps of the samples per physical unit."""
    baseline: int | None
    """Sample that stands for zero; null where the header gives only the converter's zero."""
    unit: str
    """Physical unit as written, `mV` in most records."""


class SignalHeader(NamedTuple):
    """Describe one signal of a record."""

    file: str
    """Name of the file that holds the samples, beside the header."""
    storage: Storage
    """How they are stored."""
    scale: Scale
    """What they stand for."""
    baseline: int
    """Sample that stands for zero."""
    checksum: int | None
    """Sum of all samples modulo 65536; null where the header ends before it."""
    lead: str
    """Description of the signal: the name of the lead."""


class RecordHeader(NamedTuple):
    """Describe a record of one segment."""

    frequency: float
    """Samples per second."""
    samples: int | None
    """Samples per signal; null where the header leaves it to the size of the file."""
    signals: tuple[SignalHeader, ...]
    """The signals in the order of the file."""


def parse_header(text: str) -> RecordHeader | None:
    """Parse the text of a `.hea` file; null where its form is beyond one segment with a line per signal."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    record = _RECORD.fullmatch(lines[0].rstrip()) if lines else None
    if record is None or len(lines) - 1 != int(record[1]) or len(lines) == 1:
        return None
    try:
        signals = tuple(_signal(line) for line in lines[1:])
        return RecordHeader(float(record[2]), int(record[3] or 0) or None, signals)
    except ValueError:
        return None


def _signal(line: str) -> SignalHeader:
    """Parse: file, format, gain, resolution, zero of the converter, first sample, checksum, block size, lead."""
    fields = line.split(maxsplit=_FIELDS - 1)
    fields += [""] * (_FIELDS - len(fields))
    file, storage, scale, _, zero, _, checksum, _, lead = fields
    parsed = _scale(scale)
    baseline = int(zero or 0) if parsed.baseline is None else parsed.baseline
    return SignalHeader(file, _storage(storage), parsed, baseline, int(checksum) if checksum else None, lead.rstrip())


@lru_cache
def _storage(field: str) -> Storage:
    match = _STORAGE.fullmatch(field)
    if match is None:
        raise ValueError(field)
    return Storage(int(match[1]), int(match[2] or 1) == 1 and not int(match[3] or 0), int(match[4] or 0))


@lru_cache
def _scale(field: str) -> Scale:
    match = _SCALE.fullmatch(field or "0")
    if match is None:
        raise ValueError(field)
    return Scale(float(match[1]) or DEFAULT_GAIN, int(match[2]) if match[2] else None, match[3] or "mV")

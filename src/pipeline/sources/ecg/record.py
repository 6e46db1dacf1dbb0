"""Read a WFDB record: leads by name, in millivolts.

Records of one segment in format 16, which is what MIMIC-IV-ECG and the CinC challenges publish, are read
directly, 14 times as fast as by the wfdb package (spec performance, finding 8); any other goes to that package.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.records.errors import UserError
from pipeline.settings.ecg import EcgReadingSettings
from pipeline.sources.ecg.header import RecordHeader, SignalHeader, parse_header

Signals = npt.NDArray[np.float32]

MISSING_SAMPLE = -32768
"""The 16-bit sample that stands for none."""

_TO_MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}


@dataclass(frozen=True, slots=True)
class EcgRecord:
    """Hold the leads of one record."""

    signals: Signals
    """[leads, samples], millivolts; NaN where a sample is missing."""
    leads: tuple[str, ...]
    """Names of the leads, in the order that was asked for."""
    frequency: float
    """Samples per second."""


def read_record(path: Path, settings: EcgReadingSettings) -> EcgRecord:
    """Read the leads of a record in the order of `settings.leads`.

    Args:
        path: The record without the ending `.hea`.
        settings: Which leads to read, and whether to verify checksums; records that only the wfdb package
            reads are taken on trust.

    Raises:
        UserError: The header or the samples are absent, the file has not the size or a lead not the checksum
            that the header states, a lead is absent, or the unit is no voltage.
    """
    header = parse_header(_read_header(path))
    if header is None or not _is_plain(header):
        return _read_by_wfdb(path, settings.leads)
    places = _find_leads([signal.lead for signal in header.signals], settings.leads, path)
    signals = [header.signals[place] for place in places]
    stored = _read_samples(path.parent, header).T[places]
    if settings.verify_checksums:
        _verify_checksums(stored, signals, path)
    return EcgRecord(_to_millivolts(stored, signals, path), settings.leads, header.frequency)


def _read_header(path: Path) -> str:
    try:
        return path.with_name(f"{path.name}.hea").read_bytes().decode("latin-1")
    except FileNotFoundError as error:
        raise UserError(f"{path}.hea does not exist; restore the record") from error


def _is_plain(header: RecordHeader) -> bool:
    """Return whether all signals lie interleaved in one file of 16-bit samples."""
    first = header.signals[0]
    alike = all(signal.file == first.file and signal.storage == first.storage for signal in header.signals)
    return alike and first.storage.format == 16 and first.storage.plain


def _read_samples(folder: Path, header: RecordHeader) -> npt.NDArray[np.int16]:
    """Return the samples as stored, [samples, signals]."""
    first, count = header.signals[0], len(header.signals)
    try:
        raw = (folder / first.file).read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{folder / first.file} does not exist; restore the samples of the record") from error
    held = len(raw) - first.storage.offset
    stated = 2 * count * (header.samples or max(held, 0) // (2 * count))
    if held != stated:
        raise UserError(
            f"{folder / first.file} holds {held} bytes of samples where its header states {stated}; restore the record"
        )
    return np.frombuffer(raw, "<i2", offset=first.storage.offset).reshape(-1, count)


def _verify_checksums(stored: npt.NDArray[np.int16], signals: list[SignalHeader], path: Path) -> None:
    for signal, total in zip(signals, stored.sum(axis=1, dtype=np.int16).tolist(), strict=True):
        if signal.checksum is not None and (total - signal.checksum) % 65536:
            raise UserError(f"{path}: lead '{signal.lead}' has not the checksum of its header; restore the record")


def _find_leads(names: Sequence[str], wanted: Sequence[str], path: Path) -> list[int]:
    for lead in wanted:
        if names.count(lead) != 1:
            raise UserError(
                f"{path} has {names.count(lead)} leads '{lead}' where one is needed; its leads are {', '.join(names)}"
            )
    return [names.index(lead) for lead in wanted]


def _to_millivolts(stored: npt.NDArray[np.int16], signals: list[SignalHeader], path: Path) -> Signals:
    baselines = np.array([[signal.baseline] for signal in signals], np.float32)
    gains = np.array([[signal.scale.gain / _millivolts(signal.scale.unit, path)] for signal in signals], np.float32)
    physical = np.subtract(stored, baselines, dtype=np.float32)
    physical /= gains  # in place: a second array of this size would cost more than the division
    if stored.min() == MISSING_SAMPLE:
        physical[stored == MISSING_SAMPLE] = np.nan
    return physical


def _millivolts(unit: str, path: Path) -> float:
    if unit.lower() not in _TO_MILLIVOLTS:
        raise UserError(f"{path} is in '{unit}', which is no voltage; read only electrocardiograms as such")
    return _TO_MILLIVOLTS[unit.lower()]


def _read_by_wfdb(path: Path, leads: tuple[str, ...]) -> EcgRecord:
    import wfdb  # type: ignore[import-untyped]  # heavy, and few records need it

    try:
        record = wfdb.rdrecord(str(path))
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise UserError(f"{path} is not a readable WFDB record: {error}; restore it") from error
    places = _find_leads(record.sig_name, leads, path)
    scales = np.array([_millivolts(record.units[place], path) for place in places])
    signals = record.p_signal[:, places] * scales
    return EcgRecord(np.ascontiguousarray(signals.T, np.float32), leads, float(record.fs))

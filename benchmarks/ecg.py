"""Reading and preparing twelve-lead ECGs, against wfdb and against a loop over leads with scipy.

The record has the form of MIMIC-IV-ECG: 12 leads, 500 Hz, 10 s, format 16 (spec performance, P5). Reading is
timed on a warm page cache, with checksums verified, which wfdb does not do. One thread, processor time, medians
of interleaved rounds.
"""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import wfdb  # type: ignore[import-untyped]
from numpy.typing import NDArray
from rich.console import Console
from scipy.signal import butter, filtfilt, iirnotch, medfilt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.frame import Measure, interleaved, less_is_better
from pipeline.settings.ecg import ECGFOUNDER_LEADS, EcgPreprocessingSettings, EcgReadingSettings
from pipeline.sources.ecg.preprocessing import preprocess
from pipeline.sources.ecg.record import read_record

RECORDS, SAMPLES, FREQUENCY = 40, 5000, 500
ROUNDS = 7
AGREEMENT = 1e-6
FILTER_AGREEMENT = 1e-4


def run() -> list[Measure]:
    """Check that both sides agree, then time them."""
    records = draw_records()
    with TemporaryDirectory() as folder, threadpool_limits(1):
        paths = [write(Path(folder), number, record) for number, record in enumerate(records)]
        read = interleaved([partial(read_all, paths), partial(read_by_wfdb, paths)], ROUNDS)
        check(np.abs(read_all(paths) - read_by_wfdb(paths)).max(), AGREEMENT, "reading")
    prepare = partial(preprocess, records, ECGFOUNDER_LEADS, FREQUENCY, EcgPreprocessingSettings())
    loop = partial(loop_over_leads, records)
    with threadpool_limits(1):
        prepared = interleaved([prepare, loop], ROUNDS)
    check(np.abs(prepare() - loop()).max(), FILTER_AGREEMENT, "preprocessing")
    per_record = {"read a record": (read, "wfdb.rdrecord"), "preprocess a record": (prepared, "scipy loop over leads")}
    return [
        less_is_better(measure, ours / RECORDS * 1e3, theirs / RECORDS * 1e3, peer, "CPU-ms")
        for measure, ((ours, theirs), peer) in per_record.items()
    ]


def draw_records() -> NDArray[np.float64]:
    """Draw walks with the amplitude of an ECG, [records, 12, 5000] millivolts in steps of 1/200."""
    rng = np.random.Generator(np.random.Philox(key=0))
    steps = rng.integers(-8, 9, (RECORDS, len(ECGFOUNDER_LEADS), SAMPLES))
    return np.clip(np.cumsum(steps, axis=-1), -3000, 3000) / 200


def write(folder: Path, number: int, record: NDArray[np.float64]) -> Path:
    """Write a record as wfdb does and return its path without ending."""
    leads = list(ECGFOUNDER_LEADS)
    wfdb.wrsamp(
        f"r{number}",
        fs=FREQUENCY,
        units=["mV"] * len(leads),
        sig_name=leads,
        p_signal=record.T,
        fmt=["16"] * len(leads),
        adc_gain=[200.0] * len(leads),
        baseline=[0] * len(leads),
        write_dir=str(folder),
    )
    return folder / f"r{number}"


def read_all(paths: list[Path]) -> NDArray[np.float32]:
    """Read every record by the pipeline's reader."""
    settings = EcgReadingSettings(verify_checksums=True)
    return np.stack([read_record(path, settings).signals for path in paths])


def read_by_wfdb(paths: list[Path]) -> NDArray[np.float64]:
    """Read every record by the wfdb package."""
    return np.stack([wfdb.rdrecord(str(path)).p_signal.T for path in paths])


def loop_over_leads(records: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prepare records as ECGFounder's own code is written: lead by lead."""
    notch = iirnotch(50, 30, FREQUENCY)
    band = butter(4, [0.67, 40], "bandpass", fs=FREQUENCY)
    prepared = np.empty_like(records)
    for number, record in enumerate(records):
        for lead, raw in enumerate(record):
            filtered = filtfilt(*band, filtfilt(*notch, raw))
            prepared[number, lead] = filtered - medfilt(filtered, 201)
        prepared[number] = (prepared[number] - prepared[number].mean()) / (prepared[number].std() + 1e-8)
    return prepared


def check(difference: float, allowed: float, name: str) -> None:
    """Print the largest difference to the peer; too large a one ends the benchmark."""
    Console().print(f"{name}: largest difference {difference:.1e}")
    if difference > allowed:
        raise ArithmeticError(f"{name} differs from the peer by {difference:.1e}; the timing means nothing")

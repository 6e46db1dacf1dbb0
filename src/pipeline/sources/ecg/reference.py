"""Read what the column `ecg` of a manifest names: a WFDB record, or a row of an array."""

import re
from pathlib import Path

import numpy as np

from pipeline.records.errors import UserError
from pipeline.settings.ecg import EcgReadingSettings
from pipeline.sources.ecg.record import EcgRecord, read_record

MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
"""The order of leads in MIMIC-IV-ECG, and so in the arrays of Symile-MIMIC (spec PaCX 1.4)."""

ARRAY_FREQUENCY = 500.0
"""Samples per second in the arrays of Symile-MIMIC."""

_ARRAY_ROW = re.compile(r"(.+\.npy)#(\d+)")


def read_ecg(root: Path, reference: str, settings: EcgReadingSettings) -> EcgRecord:
    """Read one ECG, with the leads in the order of `settings.leads`.

    Args:
        root: Folder of the ECGs of the corpus.
        reference: The manifest's word for it: `path/of/record` without ending, or `file.npy#row` of an array
            [N, 1, samples, 12] whose rows were scaled to -1 to 1, so that their unit is not the millivolt.
        settings: Which leads to read, and whether to verify the checksums of WFDB records.

    Raises:
        UserError: The record or the row cannot be read; see `read_record`.
    """
    row = _ARRAY_ROW.fullmatch(reference)
    if row is None:
        return read_record(root / reference, settings)
    return _read_row(root / row[1], int(row[2]), settings)


def _read_row(file: Path, row: int, settings: EcgReadingSettings) -> EcgRecord:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is not a readable array: {error}; restore it") from error
    if array.ndim != 4 or array.shape[1] != 1 or array.shape[3] != len(MIMIC_LEADS) or row >= len(array):
        raise UserError(
            f"{file} has the shape {array.shape} and so no row {row} of shape (1, samples, 12); "
            "use the publisher's original array"
        )
    absent = [lead for lead in settings.leads if lead not in MIMIC_LEADS]
    if absent:
        raise UserError(f"{file} has no lead '{absent[0]}'; its leads are {', '.join(MIMIC_LEADS)}")
    places = [MIMIC_LEADS.index(lead) for lead in settings.leads]
    return EcgRecord(np.ascontiguousarray(array[row, 0].T[places], np.float32), settings.leads, ARRAY_FREQUENCY)

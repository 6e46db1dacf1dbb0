"""The phantom cohort as a raw MIMIC-IV-ECG 1.0 tree: WFDB records without images."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.ecg import FREQUENCY, SECONDS
from pipeline.sources.phantom.ecg_heart import sample_heart
from pipeline.sources.phantom.ecg_ids import record_id, record_path, record_time
from pipeline.sources.phantom.ecg_leads import LEADS
from pipeline.sources.phantom.ecg_samples import GAIN, stored_samples
from pipeline.sources.phantom.mimic_ids import subject_id
from pipeline.sources.phantom.mimic_subset import write_columns
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import Row, write_table

COLUMNS = ("subject_id", "study_id", "file_name", "ecg_time", "path")


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write `files/`, `record_list.csv` and the truth, `phantom/truth.csv`, into the empty folder `root`.

    Every study of the cohort has one ECG; `source.image_size` and `source.test_fraction` change nothing.
    """
    taken = sorted(cohort_studies(source), key=lambda pair: record_path(*pair))
    for patient, study in taken:
        write_record(root / record_path(patient, study), stored_samples(patient, study), _header(patient, study))
    write_columns(root / "record_list.csv", COLUMNS, [_listed(patient, study) for patient, study in taken])
    (root / "phantom").mkdir()
    write_table(root / "phantom" / "truth.csv", [_truth(patient, study) for patient, study in taken])


def write_record(path: Path, samples: npt.NDArray[np.int16], first_line: str) -> None:
    """Write [samples, 12] in format 16 with a header that holds first samples and checksums of the leads."""
    sums = (samples.sum(axis=0, dtype=np.int64) % 65536).tolist()
    leads = [
        f"{path.name}.dat 16 {GAIN}(0)/mV 16 0 {first} {total} 0 {lead}"
        for lead, first, total in zip(LEADS, samples[0].tolist(), sums, strict=True)
    ]
    path.parent.mkdir(parents=True)
    path.with_name(f"{path.name}.dat").write_bytes(samples.astype("<i2").tobytes())
    path.with_name(f"{path.name}.hea").write_text("".join(f"{line}\n" for line in (first_line, *leads)))


def _header(patient: Patient, study: Study) -> str:
    length = f"{len(LEADS)} {FREQUENCY} {FREQUENCY * SECONDS}"
    return f"{record_id(patient, study)} {length} {record_time(patient, study):%H:%M:%S %d/%m/%Y}"


def _listed(patient: Patient, study: Study) -> Row:
    record = str(record_id(patient, study))
    moment = f"{record_time(patient, study):%Y-%m-%d %H:%M:%S}"
    cells = (str(subject_id(patient)), record, record, moment, record_path(patient, study))
    return dict(zip(COLUMNS, cells, strict=True))


def _truth(patient: Patient, study: Study) -> Row:
    """Return the columns ecg, patient and study, then latents and the state of the heart."""
    state = {**asdict(study.physiology), **asdict(sample_heart(patient, study))}
    numbers = {name: f"{float(value):.6g}" for name, value in state.items()}
    return {"ecg": record_path(patient, study), "patient": str(patient.number), "study": str(study.number), **numbers}

"""Names and times of the phantom's ECGs, in the form of MIMIC-IV-ECG."""

from datetime import datetime, timedelta

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.mimic_ids import SUBJECT_RANGE, admission_time, subject_id
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.study import Study

FIRST_RECORD = 40_000_000


def record_id(patient: Patient, study: Study) -> int:
    """Return the number of the ECG of a study, 40000000 to 49999999."""
    return FIRST_RECORD + (patient.number * 10 + study.number) % SUBJECT_RANGE


def record_path(patient: Patient, study: Study) -> str:
    """Return the path of a record without ending: files/pNNNN/pSUBJECT/sRECORD/RECORD."""
    subject, record = subject_id(patient), record_id(patient, study)
    return f"files/p{subject // 10_000}/p{subject}/s{record}/{record}"


def record_time(patient: Patient, study: Study) -> datetime:
    """Return when the ECG was taken: within 24 hours of the admission (spec PaCX 1.3)."""
    hours = keyed_generator(patient.seed, "ecg time", patient.number, study.number).uniform(-4, 20)
    return (admission_time(patient, study) + timedelta(hours=float(hours))).replace(microsecond=0)

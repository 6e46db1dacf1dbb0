"""The numbers a phantom patient goes by in every corpus drawn from MIMIC.

They depend on nothing but patient, study and view, so that corpora written apart name the same person
alike, as MIMIC-CXR, MIMIC-IV-ECG, Symile-MIMIC, REFLACX and the others do.
"""

import hashlib
from datetime import datetime, timedelta

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Projected
from pipeline.sources.phantom.study import Study

FIRST_SUBJECT, FIRST_STUDY, FIRST_ADMISSION, FIRST_STAY = 10_000_000, 50_000_000, 20_000_000, 30_000_000
SUBJECT_STEP = 13_577
"""Spreads consecutive patients over the folders p10 to p19, as real subjects are; prime to the range's size."""
SUBJECT_RANGE = 10_000_000


def subject_id(patient: Patient) -> int:
    """Return the subject's number, 10000000 to 19999999."""
    return FIRST_SUBJECT + patient.number * SUBJECT_STEP % SUBJECT_RANGE


def study_id(patient: Patient, study: Study) -> int:
    """Return the number of a chest X-ray study, 50000000 to 59999999."""
    return FIRST_STUDY + (patient.number * 10 + study.number) % SUBJECT_RANGE


def admission_id(patient: Patient, study: Study) -> int:
    """Return the number (hadm_id) of the admission that a study belongs to: each study has its own."""
    return FIRST_ADMISSION + (patient.number * 10 + study.number) % SUBJECT_RANGE


def stay_id(patient: Patient, study: Study) -> int:
    """Return the number of the intensive-care stay of that admission."""
    return FIRST_STAY + (patient.number * 10 + study.number) % SUBJECT_RANGE


def dicom_id(patient: Patient, study: Study, view: Projected) -> str:
    """Return the name of an image: five groups of eight hexadecimal digits."""
    name = f"{patient.seed}/{patient.number}/{study.number}/{view}"
    digits = hashlib.blake2b(name.encode(), digest_size=20).hexdigest()
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def image_path(patient: Patient, study: Study, view: Projected, ending: str = "jpg") -> str:
    """Return the path of an image in MIMIC-CXR(-JPG): files/pXX/pSUBJECT/sSTUDY/DICOM.jpg."""
    subject = subject_id(patient)
    name = dicom_id(patient, study, view)
    return f"files/p{subject // 1_000_000}/p{subject}/s{study_id(patient, study)}/{name}.{ending}"


def study_time(patient: Patient, study: Study) -> datetime:
    """Return when the X-ray was taken, in the shifted years of a de-identified record."""
    draw = keyed_generator(patient.seed, "calendar", patient.number)
    first = datetime(2110, 1, 1) + timedelta(minutes=int(draw.integers(0, 60 * 365 * 24 * 60)))
    return first + timedelta(days=120 * (study.number - 1))


def admission_time(patient: Patient, study: Study) -> datetime:
    """Return the start of the admission: 24 to 72 hours before its X-ray (spec PaCX 1.3)."""
    hours = keyed_generator(patient.seed, "admission", patient.number, study.number).uniform(25, 71)
    return (study_time(patient, study) - timedelta(hours=float(hours))).replace(second=0, microsecond=0)

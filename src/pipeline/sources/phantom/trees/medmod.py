"""The phantom cohort as MedMod's tables of intensive-care stays (spec PaCX 1.10)."""

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom import mimic_ids
from pipeline.sources.phantom.mimic_subset import cohort_images, frontal_images, write_columns
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.phenotypes import DEATH_IN_UNIT_SHARE, PHENOTYPES, dies_in_hospital, has_phenotype
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.trees.mimic_cxr import Taken
from pipeline.sources.phantom.truth import Row

STAY_COLUMNS = (
    "subject_id",
    "hadm_id",
    "stay_id",
    "last_careunit",
    "intime",
    "outtime",
    "los",
    "admittime",
    "dischtime",
    "deathtime",
    "race",
    "gender",
    "anchor_age",
    "dod",
    "age",
    "mortality_inunit",
    "mortality",
    "mortality_inhospital",
)
CARE_UNITS = (
    "Medical Intensive Care Unit (MICU)",
    "Coronary Care Unit (CCU)",
    "Medical/Surgical Intensive Care Unit (MICU/SICU)",
)
RACES = ("WHITE", "BLACK/AFRICAN AMERICAN", "ASIAN - CHINESE", "UNKNOWN")

STAYING = 0.6
"""Share of the admissions with a stay in intensive care."""


@dataclass(frozen=True)
class Stay:
    """Hold the times of one stay and of the admission around it."""

    admitted: datetime
    moved_in: datetime
    moved_out: datetime
    discharged: datetime
    died: datetime | None


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write stays, phenotypes and the official parts by image into the empty folder `root`.

    Each stay belongs to the admission of one study, whose images were taken before, during or after the stay. The
    table of stays is in order of subject, the one of phenotypes in order of `stay_id`, as the publisher's.
    """
    frontal = frontal_images(source)
    stays = [image for image in frontal if _draw("intensive care", image.patient, image.study).random() < STAYING]
    write_columns(root / "all_stays.csv", STAY_COLUMNS, [_stay_row(image) for image in _by_discharge(stays)])
    by_number = sorted(stays, key=lambda image: mimic_ids.stay_id(image.patient, image.study))
    with (root / "phenotype_labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(PHENOTYPES)
        writer.writerows([int(has_phenotype(name, i.patient, i.study)) for name in PHENOTYPES] for i in by_number)
    parts = [{**image.ids, "split": image.part} for image in cohort_images(source)]
    write_columns(root / "mimic-cxr-ehr-split.csv", ("dicom_id", "study_id", "subject_id", "split"), parts)


def stay_of(patient: Patient, study: Study) -> Stay:
    """Return the stay during the admission of a study."""
    draw = _draw("stay", patient, study)
    admitted = mimic_ids.admission_time(patient, study)
    moved_in = admitted + timedelta(minutes=int(draw.uniform(30, 60 * 60)))
    moved_out = moved_in + timedelta(minutes=int(60 * 24 * draw.lognormal(1.0, 0.6)))
    discharged = moved_out + timedelta(minutes=int(60 * 24 * draw.uniform(0.1, 6)))
    if not dies_in_hospital(patient, study):
        return Stay(admitted, moved_in, moved_out, discharged, None)
    died = moved_out if draw.random() < DEATH_IN_UNIT_SHARE else discharged
    return Stay(admitted, moved_in, moved_out, died, died)


def _by_discharge(stays: list[Taken]) -> list[Taken]:
    """Order by subject, and within a subject from the last to the first discharge."""
    by_time = sorted(stays, key=lambda image: stay_of(image.patient, image.study).discharged, reverse=True)
    return sorted(by_time, key=lambda image: image.ids["subject_id"])


def _stay_row(image: Taken) -> Row:
    patient, study = image.patient, image.study
    stay = stay_of(patient, study)
    draw = _draw("care unit", patient, study)
    in_unit = stay.died is not None and stay.died <= stay.moved_out
    return {
        "subject_id": str(mimic_ids.subject_id(patient)),
        "hadm_id": str(mimic_ids.admission_id(patient, study)),
        "stay_id": str(mimic_ids.stay_id(patient, study)),
        "last_careunit": str(draw.choice(CARE_UNITS)),
        "intime": f"{stay.moved_in:%Y-%m-%d %H:%M:%S}",
        "outtime": f"{stay.moved_out:%Y-%m-%d %H:%M:%S}",
        "los": f"{(stay.moved_out - stay.moved_in) / timedelta(days=1):.6f}",
        "admittime": f"{stay.admitted:%Y-%m-%d %H:%M:%S}",
        "dischtime": f"{stay.discharged:%Y-%m-%d %H:%M:%S}",
        "deathtime": f"{stay.died:%Y-%m-%d %H:%M:%S}" if stay.died else "",
        "race": str(keyed_generator(patient.seed, "race", patient.number).choice(RACES)),
        "gender": patient.person.sex,
        "anchor_age": str(int(patient.person.age)),
        "dod": f"{stay.died:%Y-%m-%d}" if stay.died else "",
        "age": str(int(patient.person.age)),
        "mortality_inunit": str(int(in_unit)),
        "mortality": str(int(stay.died is not None)),
        "mortality_inhospital": str(int(stay.died is not None)),
    }


def _draw(purpose: str, patient: Patient, study: Study) -> np.random.Generator:
    return keyed_generator(patient.seed, purpose, patient.number, study.number)

"""The phantom cohort as a raw CheXchoNet 1.0.0 tree (spec PaCX 1.10)."""

import hashlib
from pathlib import Path

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.echocardiography import measure_heart
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_image, write_table

TRANSPLANT_SHARE = 0.02
"""Share of patients with a transplanted heart, and of those with a lung."""

UNMEASURED_SHARE = 0.04
"""Share of echocardiograms without the thickness of the posterior wall."""

DAYS_BETWEEN = 120
OLDEST = 90
"""Years; the publisher cuts ages off there."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write square JPEG images, `metadata.csv` and the truth into the empty folder `root`; there are no parts."""
    rows: list[Row] = []
    truth = TruthRecorder(root)
    (root / "images").mkdir()
    for patient, study in cohort_studies(source):
        shot = render(patient, study, "frontal", (source.image_size, source.image_size))
        name = f"{_patient_id(patient)}_{_digits(patient, 4, study.number)}.jpg"
        write_image(root / "images" / name, shot.image)
        truth.record(f"images/{name}", patient, study, "frontal", shot)
        rows.append(_description(name, patient, study) | _diagnoses(patient, study))
    write_table(root / "metadata.csv", rows)
    truth.write_table()


def _description(name: str, patient: Patient, study: Study) -> Row:
    draw = keyed_generator(patient.seed, "chexchonet film", patient.number, study.number)
    spacing = str(draw.choice([0.125, 0.139, 0.148]))
    return {
        "patient_id": _patient_id(patient),
        "cxr_filename": name,
        "cxr_time_offset": str(DAYS_BETWEEN * (study.number - 1)),
        "cxr_year": str(2013 + (patient.number + study.number) % 6),
        "cxr_path": f"images/{name}",
        "cxr_pixel_spacing_x": spacing,
        "cxr_pixel_spacing_y": spacing,
        "age": str(min(study.age, OLDEST)),
        "sex": patient.person.sex,
    }


def _diagnoses(patient: Patient, study: Study) -> Row:
    heart = measure_heart(patient, study)
    unmeasured = keyed_generator(patient.seed, "chexchonet gaps", patient.number, study.number).random()
    transplants = keyed_generator(patient.seed, "transplants", patient.number).random(2) < TRANSPLANT_SHARE
    return {
        "ivsd": f"{heart.septum:.2f}",
        "lvpwd": "" if unmeasured < UNMEASURED_SHARE else f"{heart.posterior_wall:.2f}",
        "lvidd": f"{heart.diameter:.2f}",
        "slvh": str(int(heart.hypertrophic)),
        "dlv": str(int(heart.dilated)),
        "composite_slvh_dlv": str(int(heart.hypertrophic or heart.dilated)),
        "heart_transplant": str(int(transplants[0])),
        "lung_transplant": str(int(transplants[1])),
        "pacemaker_or_icd": str(int(study.devices.pacemaker)),
    }


def _patient_id(patient: Patient) -> str:
    return _digits(patient, 16)


def _digits(patient: Patient, size: int, *index: int) -> str:
    name = "/".join(str(part) for part in ("chexchonet", patient.seed, patient.number, *index))
    return hashlib.blake2b(name.encode(), digest_size=size).hexdigest()

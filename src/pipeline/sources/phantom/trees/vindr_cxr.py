"""The phantom cohort as a raw VinDr-CXR 1.0.0 tree (spec PaCX 1.7, 1.10)."""

import hashlib
from dataclasses import replace
from pathlib import Path

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.boxes import Box
from pipeline.sources.phantom.dicom import write_raw_film
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.readers import Reading, agreed_findings, read_image
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.roster import cohort_studies, held_out_numbers
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_table

LABELS = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
    "COPD",
    "Lung tumor",
    "Pneumonia",
    "Tuberculosis",
)
"""In the publisher's order; the last two columns are those of other diseases and of none."""

OTHER = {"train": "Other diseases", "test": "Other disease"}
NAMES = {
    Finding.CARDIOMEGALY: "Cardiomegaly",
    Finding.PLEURAL_EFFUSION: "Pleural effusion",
    Finding.CONSOLIDATION: "Consolidation",
    Finding.PNEUMOTHORAX: "Pneumothorax",
    Finding.LUNG_NODULE: "Nodule/Mass",
}
READERS = {"train": 3, "test": 5}
FILM_ASPECT = 1.2
"""Height over width of an upright film."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write the DICOM films, the four tables and the truth into the empty folder `root`.

    The last `test_fraction` of the patients are in `test`, read in consensus; nothing names a patient.
    """
    held_out = held_out_numbers(source)
    tables: dict[str, list[Row]] = {
        f"{table}_{part}": [] for table in ("image_labels", "annotations") for part in READERS
    }
    truth = TruthRecorder(root)
    for folder in ("train", "test", "annotations"):
        (root / folder).mkdir()
    for patient, sampled in cohort_studies(source):
        part = "test" if patient.number in held_out else "train"
        study = replace(sampled, view="PA")  # the publisher took no other
        shot = render(patient, study, "frontal", (round(source.image_size * FILM_ASPECT), source.image_size))
        name = _image_id(patient, study)
        draw = keyed_generator(patient.seed, "vindr film", patient.number, study.number)
        write_raw_film(root / part / f"{name}.dicom", shot.image, _tags(patient, study), draw)
        truth.record(f"{part}/{name}.dicom", patient, study, "frontal", shot)
        readings = read_image(patient, study, shot, READERS[part])
        for reader, findings, boxes in _opinions(part, readings):
            identity = {"image_id": name, **({"rad_id": reader} if part == "train" else {})}
            tables[f"image_labels_{part}"].append(identity | _labels(part, findings))
            tables[f"annotations_{part}"] += [identity | box for box in _annotations(boxes)]
    for table, rows in tables.items():
        write_table(root / "annotations" / f"{table}.csv", rows)
    truth.write_table()


def _opinions(part: str, readings: list[Reading]) -> list[tuple[str, list[Finding], dict[Finding, list[Box]]]]:
    """Return reader, findings and boxes of each row: one per reader in training, the agreement in the test part."""
    if part == "train":
        return [(reading.reader, list(reading.boxes), reading.boxes) for reading in readings]
    agreed = agreed_findings(readings)
    drawn = {finding: next(r.boxes[finding] for r in readings if finding in r.boxes) for finding in agreed}
    return [("", agreed, drawn)]


def _labels(part: str, findings: list[Finding]) -> Row:
    named = {NAMES[finding] for finding in findings}
    labels = {label: str(int(label in named)) for label in LABELS}
    return labels | {OTHER[part]: "0", "No finding": str(int(not findings))}


def _annotations(boxes: dict[Finding, list[Box]]) -> list[Row]:
    """Return a row per box, or one without corners where nothing is found."""
    if not boxes:
        return [{"class_name": "No finding", "x_min": "", "y_min": "", "x_max": "", "y_max": ""}]
    return [
        {
            "class_name": NAMES[finding],
            "x_min": f"{box.left:.6g}",
            "y_min": f"{box.top:.6g}",
            "x_max": f"{box.right:.6g}",
            "y_max": f"{box.bottom:.6g}",
        }
        for finding, patches in boxes.items()
        for box in patches
    ]


def _image_id(patient: Patient, study: Study) -> str:
    name = f"vindr/{patient.seed}/{patient.number}/{study.number}"
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _tags(patient: Patient, study: Study) -> Row:
    """Return what de-identification left: sex, and an age that is zero where it was taken out."""
    draw = keyed_generator(patient.seed, "vindr header", patient.number, study.number)
    return {"PatientSex": patient.person.sex, "PatientAge": f"{study.age if draw.random() < 0.7 else 0:03d}Y"}

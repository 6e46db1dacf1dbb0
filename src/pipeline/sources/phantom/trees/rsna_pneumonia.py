"""The phantom cohort as a raw tree of the RSNA Pneumonia Detection Challenge, stage 2 (spec CXR-MIM B7)."""

import uuid
from pathlib import Path

from pipeline.records.publish import publish_json
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.boxes import finding_boxes
from pipeline.sources.phantom.dicom import write_jpeg_film
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Radiograph, render
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_table

FOLDER = "stage_2_train_images"


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write square DICOM films with JPEG inside, both tables, the mapping to ChestX-ray14 and the truth.

    One film per patient, the first; a consolidation is what the challenge calls pneumonia. The mapping
    names the film that the phantom ChestX-ray14 has of the same study.
    """
    labels: list[Row] = []
    classes: list[Row] = []
    mapping: list[Row] = []
    truth = TruthRecorder(root)
    (root / FOLDER).mkdir()
    for patient, study in cohort_studies(source):
        if study.number > 1:
            continue
        shot = render(patient, study, "frontal", (source.image_size, source.image_size))
        name = _patient_id(patient)
        write_jpeg_film(root / FOLDER / f"{name}.dcm", shot.image, _tags(name, patient, study))
        truth.record(f"{FOLDER}/{name}.dcm", patient, study, "frontal", shot)
        boxes = _box_rows(study, shot)
        labels += [{"patientId": name} | box for box in boxes]
        classes += [{"patientId": name, "class": _class(study, boxes)} for _ in boxes]
        mapping.append({"subset_img_id": name, "img_id": f"{patient.number:08d}_000.png"})
    write_table(root / "stage_2_train_labels.csv", labels)
    write_table(root / "stage_2_detailed_class_info.csv", classes)
    publish_json(root / "pneumonia-challenge-dataset-mappings_2018.json", mapping)
    truth.write_table()


def _box_rows(study: Study, shot: Radiograph) -> list[Row]:
    boxes = finding_boxes(shot, Finding.CONSOLIDATION) if study.has(Finding.CONSOLIDATION) else []
    rows = [
        {"x": f"{b.left:.1f}", "y": f"{b.top:.1f}", "width": f"{b.width:.1f}", "height": f"{b.height:.1f}"}
        for b in boxes
    ]
    nothing = {"x": "", "y": "", "width": "", "height": "", "Target": "0"}
    return [row | {"Target": "1"} for row in rows] or [nothing]


def _class(study: Study, boxes: list[Row]) -> str:
    """Return the class, which the publisher repeats on every row of an image."""
    if boxes[0]["Target"] == "1":
        return "Lung Opacity"
    return "No Lung Opacity / Not Normal" if any(study.has(finding) for finding in Finding) else "Normal"


def _patient_id(patient: Patient) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"rsna/{patient.seed}/{patient.number}"))


def _tags(name: str, patient: Patient, study: Study) -> Row:
    return {
        "Modality": "CR",
        "ConversionType": "WSD",
        "PatientID": name,
        "PatientSex": patient.person.sex,
        "PatientAge": str(study.age),
        "BodyPartExamined": "CHEST",
        "ViewPosition": study.view,
    }

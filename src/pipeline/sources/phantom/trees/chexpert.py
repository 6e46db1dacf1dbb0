"""The phantom cohort as a raw CheXpert-v1.0-small tree (spec RayGen E3, PaCX 1.2)."""

from pathlib import Path

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.chexpert_labels import reference_labels, reported_labels
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Projected, render
from pipeline.sources.phantom.roster import cohort_studies, held_out_numbers
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_image, write_table

FILM_ASPECT = 430.0 / 350.0
"""Long over short side; CheXpert-small is about 390 x 320 pixels."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write `train.csv`, `valid.csv`, their JPEG images and the truth into the empty folder `root`.

    The last `test_fraction` of the patients are in `valid`, with certain labels only.
    """
    held_out = held_out_numbers(source)
    tables: dict[str, list[Row]] = {"train": [], "valid": []}
    truth = TruthRecorder(root)
    for patient, study in cohort_studies(source):
        part = "valid" if patient.number in held_out else "train"
        labels = reference_labels(study) if part == "valid" else reported_labels(patient, study)
        shape = film_shape(patient, study, source.image_size)
        for view in _views(study):
            image = _image_path(part, patient, study, view)
            shot = render(patient, study, view, shape)
            (root / image).parent.mkdir(parents=True, exist_ok=True)
            write_image(root / image, shot.image)
            truth.record(image, patient, study, view, shot)
            tables[part].append({**_description(image, patient, study, view), **labels})
    for part, rows in tables.items():
        write_table(root / f"{part}.csv", rows)
    truth.write_table()


def film_shape(patient: Patient, study: Study, short_side: int) -> tuple[int, int]:
    """Return (height, width) in pixels: an upright or a lying 35 x 43 cm film."""
    upright = keyed_generator(patient.seed, "film", patient.number, study.number).random() < 0.4
    long_side = round(short_side * FILM_ASPECT)
    return (long_side, short_side) if upright else (short_side, long_side)


def _views(study: Study) -> tuple[Projected, ...]:
    return ("frontal", "lateral") if study.has_lateral else ("frontal",)


def _image_path(part: str, patient: Patient, study: Study, view: Projected) -> str:
    number = 1 if view == "frontal" else 2
    return f"{part}/patient{patient.number:05d}/study{study.number}/view{number}_{view}.jpg"


def _description(image: str, patient: Patient, study: Study, view: Projected) -> Row:
    return {
        "Path": f"CheXpert-v1.0-small/{image}",
        "Sex": "Male" if patient.person.sex == "M" else "Female",
        "Age": str(study.age),
        "Frontal/Lateral": view.capitalize(),
        "AP/PA": study.view if view == "frontal" else "",
    }

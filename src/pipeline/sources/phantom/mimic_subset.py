"""What the phantom trees share that add something to the images of the phantom MIMIC-CXR-JPG."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.roster import cohort_studies, held_out_numbers
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.trees.chexpert import film_shape
from pipeline.sources.phantom.trees.mimic_cxr import VALIDATED, Taken
from pipeline.sources.phantom.truth import Row


def cohort_images(source: PhantomSource) -> list[Taken]:
    """Return the images of the cohort in order of their paths.

    A cohort with the seed and image size of the phantom MIMIC-CXR-JPG, and with some of its patients, names the
    same images; one with the same patients and `test_fraction` has the same official parts.
    """
    taken = [image for patient, study in cohort_studies(source) for image in _images(source, patient, study)]
    return sorted(taken, key=lambda image: image.path)


def frontal_images(source: PhantomSource) -> list[Taken]:
    """Return the frontal images of `cohort_images`: one per study."""
    return [image for image in cohort_images(source) if image.view == "frontal"]


def _images(source: PhantomSource, patient: Patient, study: Study) -> Iterator[Taken]:
    part = "train" if patient.number % VALIDATED else "validate"
    part = "test" if patient.number in held_out_numbers(source) else part
    shape = film_shape(patient, study, source.image_size)
    yield Taken(patient, study, "frontal", shape, part)
    if study.has_lateral:
        yield Taken(patient, study, "lateral", shape, part)


def write_columns(path: Path, columns: Sequence[str], rows: Iterable[Row], line_end: str = "\n") -> None:
    """Write rows as CSV below a header that stands even without rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator=line_end)
        writer.writeheader()
        writer.writerows(rows)

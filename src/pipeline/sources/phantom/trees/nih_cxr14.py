"""The phantom cohort as a raw NIH ChestX-ray14 tree (spec RayGen E4, PaCX 1.10)."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.boxes import finding_boxes
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.radiograph import Radiograph, render
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.roster import cohort_studies, held_out_numbers
from pipeline.sources.phantom.study import Study
from pipeline.sources.phantom.truth import TruthRecorder, write_image

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
"""The publisher's header: the bracketed names hold a comma, unquoted, and span two columns each."""

BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
"""Likewise; the empty names are the publisher's too."""

LABEL_OF = {
    Finding.CARDIOMEGALY: "Cardiomegaly",
    Finding.CONSOLIDATION: "Consolidation",
    Finding.PLEURAL_EFFUSION: "Effusion",
    Finding.LUNG_NODULE: "Nodule",
    Finding.PNEUMOTHORAX: "Pneumothorax",
}
"""In the order in which the publisher joins them."""

MISSED, INVENTED = 0.08, 0.02
"""Shares of present and of absent findings that text mining gets wrong (Wang et al. 2017: F1 about 0.9)."""

RGBA_SHARE = 0.01
"""Share of images saved with four channels; about 0.5 % in the real set."""

BOXED_SHARE = 0.2
"""Share of the images with findings on which a radiologist drew boxes; under 2 % in the real set."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write both tables, the two official lists, square PNG images and the truth into the empty folder `root`.

    Frontal images only; the last `test_fraction` of the patients are in `test_list.txt`.
    """
    held_out = held_out_numbers(source)
    lines, boxes = [HEADER], [BOX_HEADER]
    lists: dict[str, list[str]] = {"train_val_list.txt": [], "test_list.txt": []}
    truth = TruthRecorder(root)
    folder = root / "images_001" / "images"
    folder.mkdir(parents=True)
    for patient, study in cohort_studies(source):
        name = f"{patient.number:08d}_{study.number - 1:03d}.png"
        shot = render(patient, study, "frontal", (source.image_size, source.image_size))
        write_image(folder / name, _as_saved(shot.image, patient, study))
        truth.record(f"images_001/images/{name}", patient, study, "frontal", shot)
        lines.append(_table_line(name, patient, study))
        boxes += _box_lines(name, patient, study, shot)
        lists["test_list.txt" if patient.number in held_out else "train_val_list.txt"].append(name)
    _write_lines(root / "Data_Entry_2017_v2020.csv", lines)
    _write_lines(root / "BBox_List_2017.csv", boxes)
    for list_name, names in lists.items():
        _write_lines(root / list_name, names)
    truth.write_table()


def mined_labels(patient: Patient, study: Study) -> list[str]:
    """Return the labels that text mining found; `No Finding` alone where it found none."""
    draw = keyed_generator(patient.seed, "nih text mining", patient.number, study.number)
    labels = []
    for finding, label in LABEL_OF.items():
        flipped = draw.random() < (MISSED if study.has(finding) else INVENTED)
        if study.has(finding) != flipped:
            labels.append(label)
    return labels or ["No Finding"]


def _table_line(name: str, patient: Patient, study: Study) -> str:
    draw = keyed_generator(patient.seed, "nih detector", patient.number, study.number)
    width, height = draw.choice([(2500, 2048), (2048, 2500), (2992, 2991)]).tolist()
    spacing = 0.168 if 2048 in (width, height) else 0.143
    fields = (
        name,
        "|".join(mined_labels(patient, study)),
        study.number - 1,
        patient.number,
        study.age,
        patient.person.sex,
        study.view,
        width,
        height,
        spacing,
        spacing,
    )
    return ",".join(str(field) for field in fields)


def _box_lines(name: str, patient: Patient, study: Study, shot: Radiograph) -> list[str]:
    """Return a line per box, in pixels of the image as written: the publisher's are all 1024 wide and high."""
    if keyed_generator(patient.seed, "nih boxes", patient.number, study.number).random() >= BOXED_SHARE:
        return []
    return [
        f"{name},{label},{float(box.left)},{float(box.top)},{float(box.width)},{float(box.height)}"
        for finding, label in LABEL_OF.items()
        if study.has(finding)
        for box in finding_boxes(shot, finding)
    ]


def _as_saved(image: npt.NDArray[np.uint8], patient: Patient, study: Study) -> npt.NDArray[np.uint8]:
    """Return the image, in a few cases with the four channels that some files of the publisher have."""
    draw = keyed_generator(patient.seed, "nih channels", patient.number, study.number)
    if draw.random() >= RGBA_SHARE:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGRA), np.uint8)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

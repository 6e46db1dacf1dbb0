"""The phantom cohort in the tree of the open X-ray segmentations: masks cut out and placed by a table."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, Gray, deal_cases, write_film
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_table

DIAGNOSES = {Illness.COVID19: "COVID-19", Illness.BACTERIAL_PNEUMONIA: "Pneumonia", Illness.NONE: "No Finding"}

DENSE = 0.85
"""Severity from which readers draw a consolidation, not ground-glass opacities."""

COLORS = {
    "Airways": (255, 124, 33),
    "Cardiomediastinum": (255, 134, 134),
    "Consolidation": (166, 209, 6),
    "Ground Glass Opacities": (255, 248, 11),
    "Left Lung": (255, 0, 0),
    "Right Lung": (187, 73, 73),
}
"""The publisher's red, green and blue of what is drawn; the rest of a crop is black, and nothing is transparent."""

COLUMNS = (
    *("#", "Taxonomy", "Class", "Template Name", "File Folder", "Filename", "Image", "Tag", "Mask", "Resolution"),
    *("Top", "Left", "Width", "Height", "Points", "Text Annotation"),
    *("Minimal Top", "Minimal Left", "Minimal Width", "Minimal Height", "Attributes"),
)
QUOTED = {"Taxonomy", "Class", "Template Name", "Filename", "Text Annotation"}
"""Columns of `structure.csv` whose cells stand in quotation marks, where they are not blank."""
UNREAD = (
    *("survival", "intubated", "intubation_present", "went_icu", "in_icu", "needed_supplemental_O2", "extubated"),
    *("temperature", "pO2_saturation", "leukocyte_count", "neutrophil_count", "lymphocyte_count"),
)
"""Columns of `metadata.csv` that the phantom leaves blank."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write `structure.csv`, `metadata.csv`, images, cut masks and the truth into the empty folder `root`.

    As in the publisher's, column `Image` names files that do not exist, some rows have no mask, and the metadata
    name images of the collection that are not here.
    """
    truth = TruthRecorder(root)
    drawn: list[Row] = []
    persons: list[Row] = []
    for case in deal_cases(source, list(DIAGNOSES), "openmask parts"):
        shot, name = case.film(source), f"case{case.patient.number:04d}.day{case.study.number}.jpg"
        write_film(root / "images" / name, shot.image)
        truth.record(f"images/{name}", case.patient, case.study, "frontal", shot)
        persons += [_person(case, name, "X-ray"), _person(case, name.replace(".jpg", ".nii.gz"), "CT")]
        drawn += _draw(root, name, case, shot)
    _write_structures(root / "structure.csv", drawn)
    write_table(root / "metadata.csv", persons)
    truth.write_table()


def _draw(root: Path, name: str, case: Case, shot: Radiograph) -> Iterator[Row]:
    """Write the masks of one image, and yield their rows."""
    digest = blake2b(name.encode(), digest_size=20).hexdigest()
    rows, columns = shot.image.shape
    image = {"Filename": name, "Image": f"images/{digest}.jpg", "Resolution": f"{columns}x{rows}"}
    for structure, mask in _drawn(case, shot).items():
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        file = f"{digest}_{blake2b(structure.encode(), digest_size=8).hexdigest()}.png"
        cut = mask[top : top + height, left : left + width]
        write_film(root / "masks" / file, _painted(cut, COLORS[structure]))
        sides = {"Top": top, "Left": left, "Width": width, "Height": height}
        minimal = {f"Minimal {side}": str(pixels) for side, pixels in sides.items()}
        yield _row(structure, image, sides) | minimal | {"Tag": f"tags/{file}", "Mask": f"masks/{file}"}
    if case.study.devices.electrodes:
        yield _row("Monitoring Probes", image, {"Top": 0, "Left": 0, "Width": columns, "Height": rows})


def _drawn(case: Case, shot: Radiograph) -> dict[str, Mask]:
    """Return what readers drew, by structure."""
    right, left = _sides(shot.lungs)
    lesion = shot.lesions[Finding.CONSOLIDATION]
    dense = case.study.severity(Finding.CONSOLIDATION) > DENSE
    opacity = {"Consolidation" if dense else "Ground Glass Opacities": lesion} if lesion.any() else {}
    return {"Cardiomediastinum": shot.heart, **opacity, "Left Lung": left, "Right Lung": right}


def _sides(lungs: Mask) -> tuple[Mask, Mask]:
    """Return the right and the left lung, cut where the middle third of the lungs is narrowest."""
    columns = np.flatnonzero(lungs.any(axis=0))
    first, last = int(columns[0]), int(columns[-1]) + 1
    third = (last - first) // 3
    cut = first + third + int(lungs[:, first + third : last - third].sum(axis=0).argmin())
    is_right = np.arange(lungs.shape[1]) < cut  # the patient's right is the image's left
    return lungs & is_right, lungs & ~is_right


def _painted(cut: Mask, color: tuple[int, int, int]) -> Gray:
    """Return a mask as the publisher stores it: colour on opaque black, in OpenCV's order of channels."""
    painted = np.zeros((*cut.shape, 4), np.uint8)
    painted[cut, :3] = color[::-1]
    painted[..., 3] = 255
    return painted


def _row(structure: str, image: Row, sides: dict[str, int]) -> Row:
    """Return a row of `structure.csv` as it is without a mask; `sides` are pixels."""
    return {
        **dict.fromkeys(COLUMNS, ""),
        **image,
        "Taxonomy": "Class:Left Lung" if structure == "Left Lung" else "",
        "Class": f"COVID-19 {structure}",
        "Template Name": structure,
        **{side: str(pixels) for side, pixels in sides.items()},
        "Text Annotation": "undefined",
    }


def _write_structures(path: Path, rows: list[Row]) -> None:
    """Write the table with the publisher's quotation marks, its rows numbered from one."""
    numbered = [{**row, "#": str(number)} for number, row in enumerate(rows, start=1)]
    lines = [",".join(f'"{row[c]}"' if c in QUOTED and row[c] else row[c] for c in COLUMNS) for row in numbered]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")


def _person(case: Case, name: str, modality: str) -> Row:
    """Return a row of `metadata.csv`, whose last column has no name."""
    return {
        "patientid": str(case.patient.number),
        "offset": str(case.study.number),
        "sex": case.patient.person.sex,
        "age": str(case.study.age),
        "finding": DIAGNOSES[case.illness],
        **dict.fromkeys(UNREAD, ""),
        "view": {"AP": "AP Supine"}.get(case.study.view, case.study.view) if modality == "X-ray" else "Axial",
        "modality": modality,
        "date": "2020",
        "location": "",
        "folder": "images" if modality == "X-ray" else "volumes",
        "filename": name,
        "doi": "",
        "url": "",
        "license": "CC BY 4.0",
        "clinical_notes": "",
        "other_notes": "",
        "": "",
    }

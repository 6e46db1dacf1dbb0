"""The phantom cohort as the table of masks that the open X-ray segmentations are kept in."""

from pathlib import Path

import numpy as np

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, deal_cases, write_film, write_mask
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_table

DIAGNOSES = {Illness.COVID19: "COVID-19", Illness.BACTERIAL_PNEUMONIA: "Pneumonia", Illness.NONE: "No Finding"}

DENSE = 0.85
"""Severity from which readers draw a consolidation, not ground-glass opacities."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write `masks.csv`, images, masks and the truth into the empty folder `root`."""
    truth = TruthRecorder(root)
    rows: list[Row] = []
    for case in deal_cases(source, list(DIAGNOSES), "openmask parts"):
        shot, stem = case.film(source), f"case{case.patient.number:04d}_day{case.study.number}"
        image = f"images/{stem}.jpg"
        write_film(root / image, shot.image)
        truth.record(image, case.patient, case.study, "frontal", shot)
        for structure, mask in _drawn(case, shot).items():
            path = f"masks/{stem}__{structure}.png"
            write_mask(root / path, mask)
            rows.append(_table_row(image, path, structure, case))
    write_table(root / "masks.csv", rows)
    truth.write_table()


def _drawn(case: Case, shot: Radiograph) -> dict[str, Mask]:
    """Return what readers drew, by structure."""
    right, left = _sides(shot.lungs)
    lesion = shot.lesions[Finding.CONSOLIDATION]
    dense = case.study.severity(Finding.CONSOLIDATION) > DENSE
    opacity = {"consolidation" if dense else "ground_glass_opacities": lesion} if lesion.any() else {}
    return {"cardiomediastinum": shot.heart, **opacity, "left_lung": left, "right_lung": right}


def _sides(lungs: Mask) -> tuple[Mask, Mask]:
    """Return the right and the left lung, cut where the middle third of the lungs is narrowest."""
    columns = np.flatnonzero(lungs.any(axis=0))
    first, last = int(columns[0]), int(columns[-1]) + 1
    third = (last - first) // 3
    cut = first + third + int(lungs[:, first + third : last - third].sum(axis=0).argmin())
    is_right = np.arange(lungs.shape[1]) < cut  # the patient's right is the image's left
    return lungs & is_right, lungs & ~is_right


def _table_row(image: str, mask: str, structure: str, case: Case) -> Row:
    return {
        "image": image,
        "mask": mask,
        "cls": structure,
        "image_license": "CC0",
        "image_url": "",
        "mask_license": "CC0",
        "finding": DIAGNOSES[case.illness],
        "view": case.study.view,
    }

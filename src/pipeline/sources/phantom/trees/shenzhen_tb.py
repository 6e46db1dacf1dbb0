"""The phantom cohort as the Shenzhen tuberculosis set in its form on Kaggle (spec PaCX 1.10)."""

from pathlib import Path

import numpy as np

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, deal_cases, write_film
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_table


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write the table, the first image of each patient and the truth into the empty folder `root`."""
    truth = TruthRecorder(root)
    rows: list[Row] = []
    for case in deal_cases(source, [Illness.NONE, Illness.TUBERCULOSIS], "shenzhen parts"):
        if case.study.number > 1:
            continue
        shot = case.film(source)
        name = f"CHNCXR_{case.patient.number:04d}_{int(case.illness == Illness.TUBERCULOSIS)}.png"
        write_film(root / "images" / "images" / name, shot.image)
        truth.record(f"images/images/{name}", case.patient, case.study, "frontal", shot)
        rows.append(_table_row(name, case, shot))
    write_table(root / "shenzhen_metadata.csv", rows)
    truth.write_table()


def _table_row(name: str, case: Case, shot: Radiograph) -> Row:
    return {
        "study_id": name,
        "sex": "Male" if case.patient.person.sex == "M" else "Female",
        "age": f"{case.study.age:.1f}",
        "findings": _findings(shot) if case.illness == Illness.TUBERCULOSIS else "normal",
    }


def _findings(shot: Radiograph) -> str:
    """Return where the larger part of the infiltrate is, in the words of the set."""
    down, right = np.nonzero(shot.lesions[Finding.CONSOLIDATION] | shot.lesions[Finding.LUNG_NODULE])
    if not len(down):
        return "STB"
    height, width = shot.image.shape
    side = "right" if np.median(right) < width / 2 else "left"
    field = "upper" if np.median(down) < height / 2 else "lower"
    return (
        f"{side} PTB in the {field} field, {side} nodule" if shot.lesions[Finding.LUNG_NODULE].any() else f"{side} PTB"
    )

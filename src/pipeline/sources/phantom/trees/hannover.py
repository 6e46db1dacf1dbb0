"""The phantom cohort as the COVID-19 Image Repository of Hannover Medical School: images and blood values."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, deal_cases, write_film
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.labs import complete_labs
from pipeline.sources.phantom.truth import Row, TruthRecorder, write_table


@dataclass(frozen=True, slots=True)
class Assay:
    """State how often the publisher has a blood value, how it is rounded, and what it follows."""

    column: str
    """Name in the table, without `_val`."""
    panel: str
    """Values of one panel are taken together or not at all."""
    measured: float
    """Share of images that it is known for."""
    step: float
    """Width of the published intervals; what is below one is published as `-inf`."""
    largest: float = math.inf
    """Limit of detection; what is above is published as `inf`."""
    item: str | None = None
    """Number of MIMIC's item that is the same quantity; the patient has one value of it in every corpus."""
    middle: float = 1.0
    """Median in the whole population, where there is no such item."""
    spread: float = 1.0
    """Standard deviation of the logarithm."""
    inflammation: float = 0.0
    """Correlation of the logarithm with inflammation."""

    def value(self, inflammation: float, chance: float) -> float:
        """Return the value of a patient; `chance` is standard normal."""
        score = self.inflammation * inflammation + math.sqrt(1 - self.inflammation**2) * chance
        return self.middle * math.exp(self.spread * score)


ASSAYS = (
    Assay("crp", "crp", measured=0.74, step=1.0, middle=36.0, spread=1.0, inflammation=0.87),
    Assay("d-dimer", "d-dimer", measured=0.40, step=0.1, largest=20.0, middle=1.2, spread=0.8, inflammation=0.5),
    Assay("factor_xii", "factor_xii", measured=0.30, step=5.0, middle=80.0, spread=0.22, inflammation=-0.6),
    Assay("ldh", "ldh", measured=0.55, step=5.0, middle=270.0, spread=0.32, inflammation=0.6),
    Assay("lymphocytes", "blood count", measured=0.43, step=0.1, item="51133"),
    Assay("neutrophils", "blood count", measured=0.43, step=0.1, item="52075"),
    Assay("pco2", "blood gas", measured=0.72, step=5.0, item="50818"),
    Assay("po2", "blood gas", measured=0.72, step=5.0, item="50821"),
)
"""Gaps as in the published table; its column of coagulation factor XIII is called `factor_xii`."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write `data.csv`, `png/` and the truth into the empty folder `root`; everyone has COVID-19."""
    truth = TruthRecorder(root)
    rows: list[Row] = []
    for case in deal_cases(source, [Illness.COVID19], "hannover parts"):
        shot = case.film(source)
        row = {**_description(case), **_blood(case)}
        image = f"png/{row['image_id']}.png"
        write_film(root / image, shot.image)
        truth.record(image, case.patient, case.study, "frontal", shot)
        rows.append(row)
    write_table(root / "data.csv", sorted(rows, key=lambda row: row["patient_id"]))
    truth.write_table()


def _description(case: Case) -> Row:
    """Return the columns before the blood values; offsets are days from the image."""
    sickness = case.study.physiology.inflammation
    draw = keyed_generator(case.patient.seed, "hannover stay", case.patient.number)
    icu_day, icu_days, death_day = draw.integers((0, 1, 3), (6, 20, 30)).tolist()
    day = 4 * (case.study.number - 1)
    in_icu = draw.normal() < sickness
    dies = in_icu and draw.random() < 0.3
    return {
        "patient_id": _identifier("hannover patient", case.patient.seed, case.patient.number),
        "image_id": _identifier("hannover image", case.patient.seed, case.patient.number, case.study.number),
        "sex": case.patient.person.sex.lower(),
        "age": "",
        "size": "",
        "weight": "",
        "admission_offset": str(-day),
        "icu_admission_offset": f"{icu_day - day:.1f}" if in_icu else "",
        "icu_release_offset": f"{icu_day + icu_days - day:.1f}" if in_icu else "",
        "death_offset": f"{icu_day + death_day - day:.1f}" if dies else "",
        "modality": "DX" if case.study.view == "PA" else "CR",
        "projection": case.study.view.lower(),
    }


def _blood(case: Case) -> Row:
    """Return offset and value of each assay, blank where nobody measured it."""
    known, row = complete_labs(case.patient, case.study), {}
    for assay in ASSAYS:
        taken = _draw(case, f"hannover {assay.panel}")
        measured, offset = taken.random() < assay.measured, float(taken.choice([0.0, -1.0], p=[0.8, 0.2]))
        chance = float(_draw(case, f"hannover {assay.column}").normal())
        own = assay.value(case.study.physiology.inflammation, chance)
        value = known[assay.item] if assay.item else own
        row[f"{assay.column}_offset"] = str(offset) if measured else ""
        row[f"{assay.column}_val"] = _published(value, assay) if measured else ""
    return row


def _published(value: float, assay: Assay) -> str:
    if value < assay.step:
        return "-inf"
    return "inf" if value > assay.largest else f"{assay.step * round(value / assay.step):.1f}"


def _draw(case: Case, purpose: str) -> np.random.Generator:
    return keyed_generator(case.patient.seed, purpose, case.patient.number, case.study.number)


def _identifier(purpose: str, *index: int) -> str:
    return hashlib.blake2b(f"{purpose}/{index}".encode(), digest_size=4).hexdigest()

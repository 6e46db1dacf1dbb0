"""The phantom cohort as a raw COVIDx 9A tree (spec Medical MAE A3)."""

from pathlib import Path

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, deal_cases, write_film
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.truth import TruthRecorder

CLASSES = {Illness.NONE: "normal", Illness.COVID19: "COVID-19", Illness.BACTERIAL_PNEUMONIA: "pneumonia"}
PARTS = {"train": "train", "val": "train", "test": "test"}


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write the two lists, the images of both parts and the truth into the empty folder `root`."""
    truth = TruthRecorder(root)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for case in deal_cases(source, list(CLASSES), "covidx parts"):
        shot, part = case.film(source), PARTS[case.part]
        patient, name, origin = _origin(case)
        write_film(root / part / name, shot.image)
        truth.record(f"{part}/{name}", case.patient, case.study, "frontal", shot)
        lists[part].append(f"{patient} {name} {CLASSES[case.illness]} {origin}\n")
    for part, lines in lists.items():
        (root / f"{part}_COVIDx9A.txt").write_text("".join(lines), encoding="utf-8")
    truth.write_table()


def _origin(case: Case) -> tuple[str, str, str]:
    """Return patient, file name and source as the sources of the set write them."""
    number = case.patient.number
    if case.illness != Illness.COVID19:
        patient = f"{number:08x}-0f8d-42bd-9158-1af53881a557"
        return patient, f"{patient}-{case.study.number}.png", "rsna"
    if number % 2:
        return f"COVID_{number}", f"COVID({case.number}).png", "sirm"
    patient = f"A{number + 223000}"
    name = f"{patient}-12-31-1900-NA-CHEST_AP_VIEWONLY-{case.number}-1.000000-{case.study.view}-1-1.jpg"
    return patient, name, "stonybrook"

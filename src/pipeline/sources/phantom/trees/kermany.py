"""The phantom cohort as a raw tree of Kermany's paediatric X-rays: adults here, in the publisher's names."""

from pathlib import Path

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, deal_cases, write_film
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.truth import TruthRecorder

GERMS = {Illness.BACTERIAL_PNEUMONIA: "bacteria", Illness.VIRAL_PNEUMONIA: "virus"}
PARTS = {"train": "train", "val": "train", "test": "test"}


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write both parts and the truth into the empty folder `root`."""
    truth = TruthRecorder(root)
    for case in deal_cases(source, [Illness.NONE, *GERMS], "kermany parts"):
        shot = case.film(source)
        label = "NORMAL" if case.illness == Illness.NONE else "PNEUMONIA"
        image = f"chest_xray/{PARTS[case.part]}/{label}/{_name(case)}"
        write_film(root / image, shot.image)
        truth.record(image, case.patient, case.study, "frontal", shot)
    truth.write_table()


def _name(case: Case) -> str:
    number = case.patient.number
    if case.illness in GERMS:
        return f"person{number}_{GERMS[case.illness]}_{case.number}.jpeg"
    series = "NORMAL2-" if number % 2 else ""
    return f"{series}IM-{number:04d}-{case.study.number:04d}.jpeg"

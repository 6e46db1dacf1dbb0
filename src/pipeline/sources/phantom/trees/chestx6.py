"""The phantom cohort as a raw ChestX6 tree (spec PaCX 1.10), altered copies included."""

from pathlib import Path

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, Gray, deal_cases, make_folders, write_film
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.truth import TruthRecorder

TOP = "chest-xray"
CLASSES = {
    Illness.COVID19: "Covid-19",
    Illness.EMPHYSEMA: "Emphysema",
    Illness.NONE: "Normal",
    Illness.BACTERIAL_PNEUMONIA: "Pneumonia-Bacterial",
    Illness.VIRAL_PNEUMONIA: "Pneumonia-Viral",
    Illness.TUBERCULOSIS: "Tuberculosis",
}
ENDINGS = (".jpg", ".jpeg", ".png", ".JPG")
"""The set was collected from many sources."""

COPIED = 3
"""One training image in so many has a copy in `train`, another one in `val`."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write three parts of six folders and the truth of the images, without copies, into the empty folder `root`."""
    make_folders(root, (TOP,), ("train", "val", "test"), CLASSES.values())
    truth = TruthRecorder(root)
    for case in deal_cases(source, list(CLASSES), "chestx6 parts"):
        shot, label = case.film(source), CLASSES[case.illness]
        name = f"{label.lower()}-{case.number}{ENDINGS[case.number % len(ENDINGS)]}"
        image = f"{TOP}/{case.part}/{label}/{name}"
        write_film(root / image, shot.image)
        truth.record(image, case.patient, case.study, "frontal", shot)
        turn = case.number % COPIED
        if case.part == "train" and turn < 2:
            copy = f"{TOP}/{('train', 'val')[turn]}/{label}/augmented_{case.number}_{name}"
            write_film(root / copy, _altered(shot.image, case))
    truth.write_table()


def _altered(image: Gray, case: Case) -> Gray:
    """Return the image mirrored, and brighter or darker."""
    draw = keyed_generator(case.patient.seed, "chestx6 copies", case.patient.number, case.study.number)
    changed = np.clip(image[:, ::-1] * draw.uniform(0.8, 1.2), 0, 255)
    return np.ascontiguousarray(changed.astype(np.uint8))

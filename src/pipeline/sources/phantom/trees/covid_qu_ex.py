"""The phantom cohort as a raw COVID-QU-Ex tree (spec PaCX 1.10): both halves, which share images."""

from pathlib import Path

import numpy as np

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, deal_cases, make_folders, write_film, write_mask
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.intervals import Mask
from pipeline.sources.phantom.radiograph import Radiograph
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.trees import qata_cov19
from pipeline.sources.phantom.truth import TruthRecorder

LUNG_HALF = "Lung Segmentation Data/Lung Segmentation Data"
INFECTION_HALF = "Infection Segmentation Data/Infection Segmentation Data"
PARTS = {"train": "Train", "val": "Val", "test": "Test"}
CLASSES = {Illness.NONE: "Normal", Illness.COVID19: "COVID-19", Illness.BACTERIAL_PNEUMONIA: "Non-COVID"}
NAMES = {Illness.NONE: "Normal ({}).png", Illness.BACTERIAL_PNEUMONIA: "non_COVID ({}).png"}
"""Names of images of two classes; those with COVID-19 keep the names that QaTa-COV19 has."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write both halves and the truth into the empty folder `root`.

    All images are in the first half; all with COVID-19, and those of every second other patient, in the second too.
    The images with COVID-19 are those of the phantom QaTa-COV19 set, byte by byte and name by name.
    """
    make_folders(root, (LUNG_HALF, INFECTION_HALF), PARTS.values(), CLASSES.values(), ("images", "lung masks"))
    make_folders(root, (INFECTION_HALF,), PARTS.values(), CLASSES.values(), ("infection masks",))
    truth = TruthRecorder(root)
    for case in deal_cases(source, list(CLASSES), "covid-qu-ex parts"):
        shot = case.film(source)
        truth.record(_write_half(root, LUNG_HALF, case, shot), case.patient, case.study, "frontal", shot)
        if case.illness == Illness.COVID19 or case.patient.number // 3 % 2:
            image = _write_half(root, INFECTION_HALF, case, shot)
            write_mask(root / image.replace("/images/", "/infection masks/"), _infection(case, shot))
            truth.record(image, case.patient, case.study, "frontal", shot)
    truth.write_table()


def _write_half(root: Path, half: str, case: Case, shot: Radiograph) -> str:
    """Write image and lung mask, and return the path of the image."""
    folder = f"{half}/{PARTS[case.part]}/{CLASSES[case.illness]}"
    covid19 = case.illness == Illness.COVID19
    name = qata_cov19.image_name(case) if covid19 else NAMES[case.illness].format(case.number)
    write_film(root / folder / "images" / name, shot.image)
    write_mask(root / folder / "lung masks" / name, shot.lungs)
    return f"{folder}/images/{name}"


def _infection(case: Case, shot: Radiograph) -> Mask:
    """Return where COVID-19 is seen; the masks of the other classes are black."""
    lesion = shot.lesions[Finding.CONSOLIDATION]
    return lesion if case.illness == Illness.COVID19 else np.zeros_like(lesion)

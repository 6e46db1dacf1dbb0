"""The phantom cohort as a raw TB Chest Radiography Database tree (spec PaCX 1.10), source shortcut included."""

from pathlib import Path

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import make_folders, resized, write_film
from pipeline.sources.phantom.illness import Illness, fall_ill, is_healthy
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.roster import cohort_studies
from pipeline.sources.phantom.truth import TruthRecorder

TOP = "TB_Chest_Radiography_Database"

GROUP = 4
"""One patient in so many has tuberculosis."""

SHRINKAGE = 0.75
"""Side of the collected images relative to the films they were made from."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write two folders and the truth into the empty folder `root`.

    `Normal` holds the films without a finding of the phantom ChestX-ray14 set, made smaller; `Tuberculosis` holds
    films that were never larger.
    """
    truth, written = TruthRecorder(root), {"Normal": 0, "Tuberculosis": 0}
    make_folders(root, (TOP,), written)
    film, side = source.image_size, round(SHRINKAGE * source.image_size)
    for patient, study in cohort_studies(source):
        is_ill = patient.number % GROUP == 0
        if not is_ill and not is_healthy(study):
            continue
        label = "Tuberculosis" if is_ill else "Normal"
        seen = fall_ill(study, Illness.TUBERCULOSIS) if is_ill else study
        shot = render(patient, seen, "frontal", (side, side) if is_ill else (film, film))
        written[label] += 1
        image = f"{TOP}/{label}/{label}-{written[label]}.png"
        write_film(root / image, shot.image if is_ill else resized(shot.image, side))
        truth.record(image, patient, seen, "frontal", shot)
    truth.write_table()

"""The phantom cohort as a raw REFLACX tree: readings of the phantom MIMIC-CXR's images (spec RayGen E5)."""

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom import mimic_ids
from pipeline.sources.phantom.boxes import Box
from pipeline.sources.phantom.gaze import read_image
from pipeline.sources.phantom.mimic_subset import frontal_images, write_columns
from pipeline.sources.phantom.radiograph import Radiograph, render
from pipeline.sources.phantom.reflacx_reader import (
    PHASE_1_LABELS,
    PHASE_2_LABELS,
    certainties,
    draw_chest,
    draw_ellipses,
)
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.trees.mimic_cxr import Taken
from pipeline.sources.phantom.truth import Row

LABELS_1 = (
    "Airway wall thickening",
    "Atelectasis",
    "Consolidation",
    "Emphysema",
    "Enlarged cardiac silhouette",
    "Fibrosis",
    "Fracture",
    "Groundglass opacity",
    "Mass",
    "Nodule",
    "Other",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary edema",
    "Quality issue",
    "Support devices",
    "Wide mediastinum",
)
LABELS_2 = (
    "Abnormal mediastinal contour",
    "Acute fracture",
    "Atelectasis",
    "Consolidation",
    "Enlarged cardiac silhouette",
    "Enlarged hilum",
    "Groundglass opacity",
    "Hiatal hernia",
    "High lung volume / emphysema",
    "Interstitial lung disease",
    "Lung nodule or mass",
    "Other",
    "Pleural abnormality",
    "Pneumothorax",
    "Pulmonary edema",
    "Support devices",
)
LABELS = {1: LABELS_1, 2: LABELS_2, 3: LABELS_2}
"""Label columns by phase, in the publisher's order."""
LABEL_OF = {1: PHASE_1_LABELS, 2: PHASE_2_LABELS, 3: PHASE_2_LABELS}

IDENTITY = (
    "id",
    "split",
    "eye_tracking_data_discarded",
    "image",
    "dicom_id",
    "subject_id",
    "image_size_x",
    "image_size_y",
)
READERS = 5
"""All of them read the images of phases 1 and 2."""
EVERY = 20
"""One of how many images is in phase 1, and one in phase 2: more than in the real set, for small cohorts' sake."""
DISCARDED = 0.1
"""Share of the readings of phases 1 and 2 without eye tracking; 20 of 545 in the real set."""
CRLF = "\r\n"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Reading:
    """Hold one reading of one image."""

    name: str
    phase: int
    reader: int
    image: Taken
    discarded: bool


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write the three tables and one folder per reading into `root`/main_data; images are MIMIC's."""
    folder = root / "main_data"
    folder.mkdir()
    readings = _readings(frontal_images(source))
    for phase, labels in LABELS.items():
        rows = [_metadata(reading) for reading in readings if reading.phase == phase]
        rows.sort(key=itemgetter("id" if phase < 3 else "image"))
        write_columns(folder / f"metadata_phase_{phase}.csv", [*IDENTITY, *labels], rows, CRLF)
    for _, of_image in groupby(readings, key=lambda reading: reading.image.path):
        _write_readings(folder, list(of_image))


def _readings(images: list[Taken]) -> list[Reading]:
    """Let every reader see one image in twenty in phase 1 and one in phase 2, and one of them each of the others."""
    names: set[str] = set()
    readings = []
    for place, image in enumerate(images):
        phase = {0: 1, EVERY // 2: 2}.get(place % EVERY, 3)
        draw = keyed_generator(image.patient.seed, "reflacx", image.patient.number, image.study.number)
        for reader in range(READERS) if phase < 3 else [int(draw.integers(READERS))]:
            name = _name(draw, phase, place // EVERY % 98 + 2, names)
            readings.append(Reading(name, phase, reader, image, phase < 3 and draw.random() < DISCARDED))
    return readings


def _name(draw: np.random.Generator, phase: int, trial: int, names: set[str]) -> str:
    """Return an identifier that no other reading has; trials of phase 3 are not numbered."""
    while (name := f"P{phase}{trial if phase < 3 else 0:02}R{draw.integers(1_000_000):06}") in names:
        pass
    names.add(name)
    return name


def _metadata(reading: Reading) -> Row:
    image = reading.image
    sure = certainties(image.patient, image.study, reading.reader)
    said = {label: str(sure[finding]) for finding, label in LABEL_OF[reading.phase].items()}
    ticked = image.study.devices.line or image.study.devices.pacemaker
    path = mimic_ids.image_path(image.patient, image.study, image.view, "dcm")
    return {
        "id": reading.name,
        "split": image.part,
        "eye_tracking_data_discarded": str(reading.discarded),
        "image": f"physionet.org/files/mimic-cxr/2.0.0/{path}",
        "dicom_id": image.ids["dicom_id"],
        "subject_id": image.ids["subject_id"],
        "image_size_x": str(image.shape[1]),
        "image_size_y": str(image.shape[0]),
        **dict.fromkeys(LABELS[reading.phase], "0"),
        **({"Quality issue": "False"} if reading.phase == 1 else {}),
        **said,
        "Support devices": str(ticked),
        "Other": "",
    }


def _write_readings(root: Path, readings: list[Reading]) -> None:
    """Write the folders of all readings of one image."""
    image = readings[0].image
    shot = render(image.patient, image.study, image.view, image.shape)
    for reading in readings:
        folder = root / reading.name
        folder.mkdir()
        _write_drawings(folder, reading, shot)
        if not reading.discarded:
            fixations = read_image(image.patient, image.study, shot, reading.reader)
            write_columns(folder / "fixations.csv", list(fixations[0]), fixations, CRLF)
            _write_dictation(folder, reading)


def _write_drawings(folder: Path, reading: Reading, shot: Radiograph) -> None:
    image, labels = reading.image, LABELS[reading.phase]
    ellipses = [
        {
            **_corners(ellipse.box),
            "certainty": str(ellipse.certainty),
            **dict.fromkeys(labels, "False"),
            LABEL_OF[reading.phase][ellipse.finding]: "True",
        }
        for ellipse in draw_ellipses(image.patient, image.study, shot, reading.reader)
    ]
    columns = [*CORNERS, "certainty", *labels]
    write_columns(folder / "anomaly_location_ellipses.csv", columns, ellipses, CRLF)
    chest = draw_chest(image.patient, image.study, shot, reading.reader)
    write_columns(folder / "chest_bounding_box.csv", CORNERS, [_corners(chest)], CRLF)


def _corners(box: Box) -> Row:
    corners = (box.left, box.top, box.right, box.bottom)
    return {name: f"{edge:.0f}" for name, edge in zip(CORNERS, corners, strict=True)}


def _write_dictation(folder: Path, reading: Reading) -> None:
    """Write what was dictated, five words in two seconds; stops are words too."""
    sure = certainties(reading.image.patient, reading.image.study, reading.reader)
    sentences = [_sentence(finding, certainty) for finding, certainty in sure.items() if certainty]
    words = " . ".join([*sentences, "no other abnormality ."]).split()
    times = [
        {"word": word, "timestamp_start_word": f"{0.4 * place:.3f}", "timestamp_end_word": f"{0.4 * place + 0.3:.3f}"}
        for place, word in enumerate(words)
    ]
    write_columns(folder / "timestamps_transcription.csv", list(times[0]), times, CRLF)
    (folder / "transcription.txt").write_text(" ".join(words).replace(" .", "."), encoding="utf-8")


def _sentence(finding: Finding, certainty: int) -> str:
    degree = {1: "unlikely", 2: "less likely", 3: "possibly", 4: "probably", 5: "consistent with"}[certainty]
    return f"{degree} {str(finding).replace('_', ' ')}"

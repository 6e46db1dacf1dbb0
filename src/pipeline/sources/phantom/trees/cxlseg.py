"""The phantom cohort as a raw CXLSeg tree: lung masks of the phantom MIMIC-CXR's images (spec PaCX 1.8, 1.10)."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.chexpert_labels import reported_labels
from pipeline.sources.phantom.mimic_subset import frontal_images, write_columns
from pipeline.sources.phantom.radiograph import Radiograph, render
from pipeline.sources.phantom.trees.mimic_cxr import LABELS, Taken
from pipeline.sources.phantom.truth import Row, write_image

SIDE = 224
"""Height and width of the publisher's images and masks, whatever the shape of the original."""
PARTS = {"train": 0.8, "validate": 0.1, "test": 0.1}
"""Shares of the official parts, cut by image: a patient may be in several."""
SMOOTHNESS = 2.5
"""Standard deviation, in pixels, of the blur that rounds the lungs' corners as the publisher's network does."""

Gray = npt.NDArray[np.uint8]
IDS = ("dicom_id", "subject_id", "study_id")


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write masks, the images that the publisher blackened outside the lungs, and the tables into `root`."""
    images = frontal_images(source)
    for image in images:
        shot = render(image.patient, image.study, image.view, image.shape)
        mask = lung_mask(shot)
        (root / image.path).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / _mask_path(image), mask)
        write_image(root / image.path, _segmented(shot, mask))
    tables: dict[str, list[Row]] = {
        "segmented": [image.ids | {"DicomPath": image.path} | _labels(image) for image in images],
        "mask": [image.ids | {"DicomPath": _mask_path(image)} for image in images],
        "split": [image.ids | {"split": _part(image)} for image in images],
    }
    columns = {"segmented": (*IDS, "DicomPath", *LABELS), "mask": (*IDS, "DicomPath"), "split": (*IDS, "split")}
    for name, rows in tables.items():
        write_columns(root / f"CXLSeg-{name}.csv", columns[name], rows)


def lung_mask(shot: Radiograph) -> Gray:
    """Return the lungs as a network draws them: 0 and 255, rounded off, [224, 224]."""
    lungs = cv2.resize(shot.lungs.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    smooth = cv2.GaussianBlur(lungs, (0, 0), SMOOTHNESS)
    return np.where(smooth > 0.5, 255, 0).astype(np.uint8)


def _segmented(shot: Radiograph, mask: Gray) -> Gray:
    gray = cv2.resize(cv2.equalizeHist(shot.image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(np.where(mask > 0, gray, 0).astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


def _mask_path(image: Taken) -> str:
    return image.path.replace(".jpg", "-mask.jpg")


def _labels(image: Taken) -> Row:
    labels = reported_labels(image.patient, image.study)
    return {name: labels[name] for name in LABELS}


def _part(image: Taken) -> str:
    draw = keyed_generator(image.patient.seed, "cxlseg part", image.patient.number, image.study.number)
    return str(draw.choice(list(PARTS), p=list(PARTS.values())))

"""The phantom cohort as a raw MS-CXR tree: phrases and boxes on the phantom MIMIC-CXR's images (spec Patch-IB 2.7)."""

from pathlib import Path

from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.boxes import Box
from pipeline.sources.phantom.drawings import boxes_around, finding_mask
from pipeline.sources.phantom.mimic_subset import frontal_images, write_columns
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.trees.mimic_cxr import Taken
from pipeline.sources.phantom.truth import Row

COLUMNS = (
    "dicom_id",
    "category_name",
    "label_text",
    "path",
    "x",
    "y",
    "w",
    "h",
    "image_width",
    "image_height",
    "split",
)
"""In the order of version 1.1.0."""

CATEGORY_OF = {
    Finding.CARDIOMEGALY: "Cardiomegaly",
    Finding.PLEURAL_EFFUSION: "Pleural Effusion",
    Finding.CONSOLIDATION: "Consolidation",
    Finding.PNEUMOTHORAX: "Pneumothorax",
    Finding.LUNG_NODULE: "Lung Opacity",
}
PHRASES = {
    Finding.CARDIOMEGALY: ("{degree} cardiomegaly", "The heart is {degree}ly enlarged"),
    Finding.PLEURAL_EFFUSION: ("{degree} {side} pleural effusion", "{side} effusion, {degree} in size"),
    Finding.CONSOLIDATION: ("{degree} consolidation in the {side} lung", "{side} airspace consolidation"),
    Finding.PNEUMOTHORAX: ("{degree} {side} pneumothorax", "{side} apical pneumothorax"),
    Finding.LUNG_NODULE: ("Nodular opacity in the {side} lung", "Rounded opacity projecting over the {side} lung"),
}
ANNOTATED = 0.6
"""Share of the images with findings that the publisher annotated."""


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write the table into the empty folder `root`; a phrase with two boxes has two rows."""
    rows = [row for image in frontal_images(source) for row in _rows(image)]
    write_columns(root / "MS_CXR_Local_Alignment_v1.1.0.csv", COLUMNS, rows)


def _rows(image: Taken) -> list[Row]:
    patient, study = image.patient, image.study
    present = [finding for finding in Finding if study.has(finding)]
    draw = keyed_generator(patient.seed, "ms-cxr", patient.number, study.number)
    if not present or draw.random() >= ANNOTATED:
        return []
    shot = render(patient, study, image.view, image.shape)
    rows = []
    for finding in present:
        boxes = boxes_around(finding_mask(shot, finding), most=2)
        phrase = draw.choice(PHRASES[finding])
        rows += [_row(image, finding, _worded(phrase, image, finding, boxes), box) for box in boxes]
    return rows


def _worded(phrase: str, image: Taken, finding: Finding, boxes: list[Box]) -> str:
    """Fill in degree and side; the patient's right is on the left of the image."""
    severity = image.study.severity(finding)
    degree = "mild" if severity < 0.5 else "moderate" if severity < 0.8 else "severe"
    sides = {"right" if box.centre[0] < image.shape[1] / 2 else "left" for box in boxes}
    side = "bilateral" if len(sides) > 1 else next(iter(sides), "left")
    return phrase.format(degree=degree, side=side)


def _row(image: Taken, finding: Finding, phrase: str, box: Box) -> Row:
    height, width = image.shape
    return {
        "dicom_id": image.ids["dicom_id"],
        "category_name": CATEGORY_OF[finding],
        "label_text": phrase,
        "path": image.path,
        "x": f"{box.left:.0f}",
        "y": f"{box.top:.0f}",
        "w": f"{box.width:.0f}",
        "h": f"{box.height:.0f}",
        "image_width": str(width),
        "image_height": str(height),
        "split": "val" if image.part == "validate" else image.part,
    }

"""The 14 labels of CheXpert, which CheXpert, MIMIC-CXR-JPG and sets drawn from them write alike (spec RayGen E3)."""

from pathlib import Path

import polars as pl

from pipeline.manifests.schema import PRESENCE_TYPE
from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNCERTAIN, UNKNOWN
from pipeline.sources.tables import parse_numbers, require_cells

FINDING_NAMES = {
    "No Finding": "no_finding",
    "Enlarged Cardiomediastinum": "enlarged_cardiomediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung_opacity",
    "Lung Lesion": "lung_lesion",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural_effusion",
    "Pleural Other": "pleural_other",
    "Fracture": "fracture",
    "Support Devices": "support_devices",
}
"""Columns of the labellers' tables to findings."""

PRESENCE_CODES = {1.0: PRESENT, 0.0: ABSENT, -1.0: UNCERTAIN}


def parse_presence(table: pl.DataFrame, column: str, path: Path) -> pl.Series:
    """Return a column of codes as words, blanks as `unknown`. Raises `UserError` naming the first cell of another."""
    codes = parse_numbers(table, column, path)
    require_cells(table, column, ~codes.is_in(list(PRESENCE_CODES)), path, "is none of 1.0, 0.0, -1.0 and blank")
    return codes.replace_strict(PRESENCE_CODES, default=UNKNOWN, return_dtype=PRESENCE_TYPE)

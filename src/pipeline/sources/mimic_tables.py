"""Read the tables of MIMIC-CXR-JPG, which several corpora drawn from it share (spec RayGen E1, PaCX 1.10)."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import finding_column
from pipeline.settings.layouts.mimic import METADATA_TABLE
from pipeline.sources.chexpert_labels import FINDING_NAMES, parse_presence
from pipeline.sources.tables import read_columns, require_lines

VIEW_CODES = {"AP": "AP", "PA": "PA", "LATERAL": "LATERAL", "LL": "LATERAL"}
"""`ViewPosition` to view; oblique, axial, decubitus and blank ones become UNKNOWN."""

RADIOLOGIST_NAMES = {
    ("Airspace Opacity" if name == "Lung Opacity" else name): finding for name, finding in FINDING_NAMES.items()
}
"""Columns of the radiologist's table to findings: one has another name there."""

SPLIT_CODES = {"train": "train", "validate": "val", "test": "test"}

ID_PATTERNS = {
    "dicom_id": r"^[0-9a-f]{8}(-[0-9a-f]{8}){4}$",
    "subject_id": r"^1\d{7}$",
    "study_id": r"^5\d{7}$",
}


def read_metadata(images_root: Path, table: str = METADATA_TABLE) -> pl.DataFrame:
    """Read the table of all images of MIMIC-CXR-JPG.

    Args:
        images_root: Folder that holds `files/` and the tables.
        table: Name of the table in that folder.

    Returns:
        One row per image in the table's order: `dicom_id`, `subject_id`, `study_id` (text), `view` (AP, PA,
        LATERAL or UNKNOWN), `rows` and `columns` (pixels of the image), `taken_at` (start of the study in the
        patient's shifted years, null where not given), `path` (of the JPEG, relative to `images_root`).

    Raises:
        UserError: The table or a column is absent, or a cell is not of its kind; the sentence names the line
            but no identifier.
    """
    path = images_root / table
    raw = read_columns(path, [*ID_PATTERNS, "ViewPosition", "Rows", "Columns", "StudyDate", "StudyTime"])
    require_ids(raw, list(ID_PATTERNS), path)
    return raw.select(
        *ID_PATTERNS,
        view=pl.col("ViewPosition").replace_strict(VIEW_CODES, default="UNKNOWN"),
        rows=_size(raw, "Rows", path),
        columns=_size(raw, "Columns", path),
        taken_at=_taken_at(raw, path),
        path=image_path(),
    )


def read_split(path: Path) -> pl.DataFrame:
    """Read the official split: `dicom_id` and `official_split` (train, val or test), one row per image."""
    raw = read_columns(path, ["dicom_id", "split"])
    require_ids(raw, ["dicom_id"], path)
    require_lines(~raw["split"].is_in(list(SPLIT_CODES)).fill_null(value=False), path, "column 'split' names no split")
    require_lines(raw["dicom_id"].is_duplicated(), path, "column 'dicom_id' holds an image that other lines hold too")
    return raw.select("dicom_id", official_split=pl.col("split").replace_strict(SPLIT_CODES))


def read_labels(path: Path, names: Mapping[str, str] = FINDING_NAMES) -> pl.DataFrame:
    """Read labels by study: `study_id` and one column per finding, as the manifest has them.

    `names` maps the table's columns to findings: `FINDING_NAMES` for the labellers' tables,
    `RADIOLOGIST_NAMES` for the radiologist's.
    """
    raw = read_columns(path, ["study_id", *names])
    require_ids(raw, ["study_id"], path)
    require_lines(raw["study_id"].is_duplicated(), path, "column 'study_id' holds a study that other lines hold too")
    presence = {finding_column(finding): parse_presence(raw, name, path) for name, finding in names.items()}
    return raw.select("study_id", **presence)


def image_path() -> pl.Expr:
    """Return the path of an image in MIMIC-CXR-JPG, from the columns dicom_id, subject_id and study_id."""
    folder = pl.col("subject_id").str.slice(0, 2)
    return pl.format("files/p{}/p{}/s{}/{}.jpg", folder, "subject_id", "study_id", "dicom_id")


def require_ids(table: pl.DataFrame, columns: list[str], path: Path) -> None:
    """Raise `UserError` naming the first line whose identifier is blank or not of the publisher's form."""
    for column in columns:
        formed = table[column].str.contains(ID_PATTERNS[column]).fill_null(value=False)
        require_lines(~formed, path, f"column '{column}' holds no identifier of MIMIC's form")


def _size(raw: pl.DataFrame, column: str, path: Path) -> pl.Series:
    pixels = raw[column].cast(pl.Int32, strict=False)
    require_lines((pixels < 1).fill_null(value=True), path, f"column '{column}' holds no number of pixels")
    return pixels


def _taken_at(raw: pl.DataFrame, path: Path) -> pl.Series:
    """Join date (20110203) and time (93017.5 is 09:30:17.5)."""
    date = raw["StudyDate"].str.to_date("%Y%m%d", strict=False)
    require_lines(raw["StudyDate"].is_not_null() & date.is_null(), path, "column 'StudyDate' holds no date")
    clock = raw["StudyTime"].cast(pl.Float64, strict=False)
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    wrong = clock.is_null() | (clock < 0) | (hours > 23) | (minutes > 59) | (seconds > 60)
    require_lines(raw["StudyTime"].is_not_null() & wrong, path, "column 'StudyTime' holds no time of day")
    milliseconds = ((hours * 3600 + minutes * 60 + seconds) * 1000).round().cast(pl.Int64)
    return date.cast(pl.Datetime("ms")) + milliseconds.cast(pl.Duration("ms"))

"""Pair the rows of a set drawn from MIMIC-CXR with the images of MIMIC-CXR-JPG."""

from pathlib import Path

import polars as pl

from pipeline.settings.layouts.mimic_derived import MimicImagesLayout
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_tables import SPLIT_CODES, read_metadata
from pipeline.sources.tables import parse_numbers, require_lines

PARTS = {**SPLIT_CODES, "val": "val"}
"""Official parts as MIMIC-CXR and the sets drawn from it spell them."""


def read_images(trees: Trees, layout: MimicImagesLayout) -> pl.DataFrame:
    """Read the table of MIMIC-CXR-JPG's images; see `mimic_tables.read_metadata` for columns and errors."""
    return read_metadata(trees.images, layout.metadata)


def pair_with_images(table: pl.DataFrame, images: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Add what MIMIC says of the image in column `dicom_id` to each row, in order.

    Identifiers that both tables hold (`subject_id`, `study_id`) must agree. Raises `UserError` naming the line
    of an image that MIMIC does not list, or lists for somebody else.
    """
    paired = table.join(images, on="dicom_id", how="left", maintain_order="left", suffix="_of_image")
    require_lines(paired["path"].is_null(), path, "the image is not in MIMIC-CXR-JPG's table of images")
    for column in ("subject_id", "study_id"):
        if column in table.columns:
            differs = paired[column].ne_missing(paired[f"{column}_of_image"])
            require_lines(differs, path, f"column '{column}' is not the image's in MIMIC-CXR-JPG")
    return paired


def require_image_size(paired: pl.DataFrame, width: str, height: str, path: Path) -> None:
    """Raise `UserError` naming the first line whose image size is not MIMIC's: its pixels would be others."""
    for column, of_image in ((width, "columns"), (height, "rows")):
        differs = parse_numbers(paired, column, path).ne_missing(paired[of_image].cast(pl.Float64))
        require_lines(differs, path, f"column '{column}' is not the size of the image in MIMIC-CXR-JPG")


def official_part(table: pl.DataFrame, column: str, path: Path) -> pl.Series:
    """Return the publisher's parts as train, val and test. Raises `UserError` naming the line of another word."""
    parts = table[column].replace_strict(PARTS, default=None, return_dtype=pl.String)
    require_lines(parts.is_null(), path, f"column '{column}' is none of {', '.join(PARTS)}")
    return parts


def require_one_part(rows: pl.DataFrame, path: Path) -> None:
    """Raise `UserError` naming the first line that puts an image into another official part than its first line."""
    moved = rows.select(pl.col("official_split") != pl.col("official_split").first().over("dicom_id")).to_series()
    require_lines(moved, path, "the image is in another part than in an earlier line")


def identity() -> dict[str, pl.Expr]:
    """Return the identity columns of a manifest's rows, as the adapter of MIMIC-CXR-JPG names them."""
    return {
        "key": pl.col("dicom_id"),
        "patient": pl.format("mimic:{}", "subject_id"),
        "study": pl.format("mimic:{}", "study_id"),
        "view": pl.col("view"),
        "sex": pl.lit(None),
        "age": pl.lit(None),
        "path": pl.col("path"),
    }

"""MS-CXR: phrases of reports with the boxes they speak of, on images of MIMIC-CXR-JPG (spec Patch-IB 2.7)."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import PRESENT, UNKNOWN, finding_column
from pipeline.settings.layouts.mimic_derived import MsCxrLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_images import (
    identity,
    official_part,
    pair_with_images,
    read_images,
    require_image_size,
    require_one_part,
)
from pipeline.sources.tables import parse_numbers, read_table, require_cells, require_lines

CATEGORY_NAMES = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Lung Opacity": "lung_opacity",
    "Pleural Effusion": "pleural_effusion",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}
SIDES = {"left": "x", "top": "y", "width": "w", "height": "h"}
SIZE = ("image_width", "image_height")


def read_corpus(trees: Trees, layout: MsCxrLayout) -> RawCorpus:
    """Read the table of boxes; one row per image, with all its boxes, each labelled with its phrase.

    A category that a phrase of the image speaks of is present; of the others nothing is said.
    """
    table = trees.own / layout.table
    raw = read_table(table, ["dicom_id", "category_name", "label_text", *SIDES.values(), *SIZE, "split"])
    paired = pair_with_images(raw, read_images(trees, layout), table)
    require_image_size(paired, *SIZE, table)
    boxes = paired.with_columns(
        official_split=official_part(paired, "split", table),
        finding=_finding(paired, table),
        box=_box(paired, table),
    )
    require_one_part(boxes, table)
    rows = boxes.group_by("dicom_id", maintain_order=True).agg(
        pl.col("subject_id", "study_id", "view", "path", "official_split").first(),
        boxes=pl.col("box"),
        named=pl.col("finding"),
    )
    findings = {finding_column(finding): _presence(finding) for finding in CATEGORY_NAMES.values()}
    complete = rows.select(**identity(), official_split="official_split", boxes="boxes", **findings)
    return RawCorpus(complete_rows(complete), (layout.table,))


def _finding(paired: pl.DataFrame, table: Path) -> pl.Series:
    finding = paired["category_name"].replace_strict(CATEGORY_NAMES, default=None, return_dtype=pl.String)
    require_cells(paired, "category_name", finding.is_null(), table, "is not one of MS-CXR's eight categories")
    return finding


def _box(paired: pl.DataFrame, table: Path) -> pl.Series:
    """Return each row's box as a struct; a phrase is not quoted in errors, since it is text of a report."""
    blank = paired["label_text"].fill_null("").str.strip_chars() == ""
    require_lines(blank, table, "column 'label_text' is blank")
    sides = {side: parse_numbers(paired, column, table) for side, column in SIDES.items()}
    for side, column in SIDES.items():
        least = 1 if side in ("width", "height") else 0
        wrong = (sides[side] >= least).fill_null(value=False).not_()
        require_cells(paired, column, wrong, table, f"is not a number of at least {least}")
    box = pl.DataFrame(
        {"label": paired["label_text"], "reader": pl.Series([None] * paired.height, dtype=pl.String), **sides}
    )
    return box.to_struct("box")


def _presence(finding: str) -> pl.Expr:
    named = pl.col("named").list.contains(finding)
    return pl.when(named).then(pl.lit(PRESENT)).otherwise(pl.lit(UNKNOWN))

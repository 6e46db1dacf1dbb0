"""COVID-19 Chest X-ray Segmentations of General Blockchain: one table row per mask that radiologists drew."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import polars as pl

from pipeline.manifests.vocabulary import PRESENT, VIEWS, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.collections import OpenmaskLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.class_folders import Row, image_key, list_images, manifest_rows, unnamed_patient
from pipeline.sources.locations import Trees
from pipeline.sources.tables import read_table, require_cells

FINDINGS = {
    "consolidation": "consolidation",
    "ground_glass_opacities": "lung_opacity",
    "endotracheal_tube": "support_devices",
    "nosogastric_tube": "support_devices",
    "tubings": "support_devices",
}
"""What a drawn structure says; one that nobody drew is unknown, not absent."""
STRUCTURES = {"left_lung", "right_lung", "cardiomediastinum", "airways", *FINDINGS}


def read_corpus(trees: Trees, layout: OpenmaskLayout) -> RawCorpus:
    """Read the table into one row per image, with the masks in the table's order.

    The diagnoses in column `finding` are not read: they are those of the cases, not seen in the images.
    """
    root = trees.own
    table = root / layout.table
    raw = read_table(table, ["image", "mask", "cls", "view"])
    _check_cells(raw, table)
    rows = list(_rows(raw, table))
    folder = root / layout.images
    files = [path.relative_to(root).as_posix() for path in list_images(folder)] if folder.is_dir() else []
    unlisted = tuple(path for path in files if path not in set(raw["image"]))
    return RawCorpus(manifest_rows(rows, table), (layout.table,), tuple(raw["mask"]), unlisted)


def _check_cells(raw: pl.DataFrame, table: Path) -> None:
    for column in ("image", "mask"):
        require_cells(raw, column, raw[column].is_null(), table, "names no file")
    known = raw["cls"].is_in(list(STRUCTURES)).fill_null(value=False)
    require_cells(raw, "cls", ~known, table, f"is none of {', '.join(sorted(STRUCTURES))}")
    repeated = raw.select(~pl.struct("image", "cls").is_first_distinct()).to_series()
    require_cells(raw, "cls", repeated, table, "is drawn twice in one image")


def _rows(raw: pl.DataFrame, table: Path) -> Iterator[Row]:
    for (image,), masks in raw.group_by("image", maintain_order=True):
        views = set(masks["view"].drop_nulls())
        if len(views) > 1:
            raise UserError(f"{table}: image '{image}' has the views {' and '.join(sorted(views))}; keep one of them")
        view = "".join(views).upper()
        stem = PurePosixPath(str(image)).stem
        drawn = [FINDINGS[structure] for structure in masks["cls"] if structure in FINDINGS]
        yield {
            "key": image_key(stem),
            **unnamed_patient("openmask", stem),
            "view": view if view in VIEWS else "UNKNOWN",
            "path": image,
            "official_split": None,
            "masks": masks.select(structure="cls", path="mask").to_dicts(),
            **{finding_column(finding): PRESENT for finding in drawn},
        }

"""RSNA Pneumonia Detection Challenge: boxes around opacities that look like pneumonia, one film per patient."""

import json
from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNKNOWN
from pipeline.records.errors import UserError
from pipeline.settings.layouts.chest_xray import RsnaPneumoniaLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.boxes import add_boxes
from pipeline.sources.dicom_demographics import read_demographics
from pipeline.sources.image_files import expected_paths, match_images
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_table, require_cells, require_file, require_lines

BOX_COLUMNS = {"x": "left", "y": "top", "width": "width", "height": "height"}
NORMAL = "Normal"
CLASSES = (NORMAL, "Lung Opacity", "No Lung Opacity / Not Normal")


def read_corpus(trees: Trees, layout: RsnaPneumoniaLayout) -> RawCorpus:
    """Read the boxes, one row per image; an image has pneumonia where it has a box."""
    root = trees.own
    boxes = _read_boxes(root / layout.table)
    images = boxes.group_by("key", maintain_order=True).agg(sick=pl.col("marked").any())
    paths, unlisted = match_images(root, layout.images, images["key"])
    normal = _read_normal(root / layout.class_table) if layout.class_table else {}
    patient = _patients(images["key"], root / layout.nih_mapping if layout.nih_mapping else None)
    rows = images.select(
        key=pl.col("key"),
        patient=patient,
        patient_known=patient.str.starts_with("nih:"),
        study=pl.lit("rsna:") + pl.col("key"),
        view=pl.lit("UNKNOWN"),
        sex=pl.lit(None, pl.String),
        age=pl.lit(None, pl.Float32),
        path=paths.fill_null(expected_paths(layout.images, images["key"])),
        official_split=pl.lit(None),
        finding_pneumonia=pl.when("sick").then(pl.lit(PRESENT)).otherwise(pl.lit(ABSENT)),
        finding_no_finding=_no_finding(normal),
    )
    if layout.headers:
        said = read_demographics(root, rows["path"])
        rows = rows.with_columns(said.with_columns(pl.col("view").fill_null("UNKNOWN")))
    rows = add_boxes(rows, [boxes.filter("marked")], complete=True)
    tables = (layout.table, layout.class_table, layout.nih_mapping)
    return RawCorpus(complete_rows(rows), tuple(table for table in tables if table), unlisted=unlisted)


def _read_boxes(table: Path) -> pl.DataFrame:
    """Return one row per box, and one with `marked` false per image without."""
    raw = read_table(table, ["patientId", *BOX_COLUMNS, "Target"])
    require_lines(raw["patientId"].is_null(), table, "column 'patientId' is empty")
    target = parse_numbers(raw, "Target", table)
    require_cells(raw.fill_null(""), "Target", ~target.fill_null(-1).is_in([0.0, 1.0]), table, "is neither 0 nor 1")
    sides = {side: parse_numbers(raw, column, table) for column, side in BOX_COLUMNS.items()}
    blank = pl.select(pl.any_horizontal(side.is_null() for side in sides.values())).to_series()
    require_lines(blank & (target == 1), table, "Target is 1 but the box lacks a side")
    unmarked = (target == 0) & raw["patientId"].is_duplicated()
    require_lines(unmarked, table, "Target is 0 but the image stands in another line too")
    nobody = pl.lit(None, pl.String)
    return raw.select(key="patientId", marked=target == 1, label=pl.lit("pneumonia"), reader=nobody, **sides)


def _read_normal(table: Path) -> dict[str, bool]:
    """Map each image to whether its class is `Normal`."""
    raw = read_table(table, ["patientId", "class"])
    require_cells(raw.fill_null(""), "class", ~raw["class"].is_in(CLASSES).fill_null(value=False), table, "is no class")
    return dict(raw.select("patientId", pl.col("class") == NORMAL).iter_rows())


def _no_finding(normal: dict[str, bool]) -> pl.Expr:
    presence = {key: PRESENT if is_normal else ABSENT for key, is_normal in normal.items()}
    unsaid = pl.when("sick").then(pl.lit(ABSENT)).otherwise(pl.lit(UNKNOWN))
    return pl.coalesce(pl.col("key").replace_strict(presence, default=None, return_dtype=pl.String), unsaid)


def _patients(keys: pl.Series, mapping: Path | None) -> pl.Series:
    """Return each image's patient: that of ChestX-ray14 where the mapping names it, else one of its own."""
    alone = ("rsna:" + keys).alias("patient")
    if mapping is None:
        return alone
    require_file(mapping)
    try:
        entries = [(entry["subset_img_id"], entry["img_id"]) for entry in json.loads(mapping.read_bytes())]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{mapping} is not the publisher's list of entries with 'subset_img_id' and 'img_id' ({error}); "
            "download it again"
        ) from error
    patients: dict[str, str] = {}
    for number, (key, image) in enumerate(entries, start=1):
        if key in patients:
            raise UserError(f"{mapping}, entry {number} names an image that an earlier one names; download it again")
        patients[key] = f"nih:{str(image).split('_')[0].zfill(8)}"
    return keys.replace_strict(patients, default=None, return_dtype=pl.String).fill_null(alone).alias("patient")

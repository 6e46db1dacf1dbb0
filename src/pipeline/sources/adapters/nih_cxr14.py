"""NIH ChestX-ray14: one table of 112,120 images, two official lists, 984 boxes, image files by name."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.chest_xray import NihCxr14Layout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.boxes import add_boxes
from pipeline.sources.dicom_demographics import parse_age
from pipeline.sources.locations import Trees
from pipeline.sources.tables import as_found, find_images, parse_numbers, read_list, read_table, require_cells

NO_FINDING = "No Finding"
FINDING_NAMES = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Effusion": "pleural_effusion",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Hernia": "hernia",
    "Infiltration": "infiltration",
    "Mass": "mass",
    "Nodule": "nodule",
    "Pleural_Thickening": "pleural_thickening",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}
COLUMNS = (
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
)
BOX_NAMES = FINDING_NAMES | {"Infiltrate": "infiltration"}
BOX_COLUMNS = {"Bbox [x": "left", "y": "top", "w": "width", "h]": "height"}  # the header's commas split its last name


def read_corpus(trees: Trees, layout: NihCxr14Layout) -> RawCorpus:
    """Read the table; every listed image has a row, whether its file is there or not."""
    root = trees.own
    layout = _as_found(layout, root)
    table = root / layout.table
    raw = read_table(table, COLUMNS)
    repeated = raw["Image Index"].is_duplicated()
    require_cells(raw, "Image Index", repeated, table, "stands in more than one line")
    files = find_images(root, layout.images)
    patient = pl.lit("nih:") + pl.col("Patient ID").str.zfill(8)
    rows = raw.select(
        key=pl.col("Image Index").str.strip_suffix(".png"),
        patient=patient,
        study=patient + pl.lit("/") + pl.col("Follow-up #"),
        view=pl.col("View Position").replace_strict({"AP": "AP", "PA": "PA"}, default="UNKNOWN"),
        sex=pl.col("Patient Gender").replace_strict({"F": "F", "M": "M"}, default=None),
        age=_age(raw["Patient Age"]),
        path=pl.col("Image Index").replace(files),
        official_split=_official_split(raw["Image Index"], root, layout),
        **_findings(raw, table),
    )
    if layout.boxes_table:
        rows = add_boxes(rows, [_read_boxes(root / layout.boxes_table, raw["Image Index"])], complete=False)
    unlisted = sorted(set(files) - set(raw["Image Index"]))
    tables = (layout.table, layout.train_val_list, layout.test_list, layout.boxes_table, layout.val_list)
    return RawCorpus(
        rows=complete_rows(rows),
        tables=tuple(table for table in tables if table),
        unlisted=tuple(files[name] for name in unlisted),
    )


def _as_found(layout: NihCxr14Layout, root: Path) -> NihCxr14Layout:
    """Return the layout with the names that tables and lists have in the folder."""
    names = layout.model_dump(include={"table", "train_val_list", "test_list", "boxes_table", "val_list"})
    return layout.model_copy(update={part: as_found(root, name) for part, name in names.items() if name})


def _age(ages: pl.Series) -> pl.Series:
    """Return ages in years, of `58`, `058Y`, `011M` or `002D`; null for 411 and the like, typing errors of 2017."""
    years = {age: parse_age(age) for age in ages.drop_nulls().unique()}
    return ages.replace_strict(years, default=None, return_dtype=pl.Float32)


def _findings(raw: pl.DataFrame, table: Path) -> dict[str, pl.Expr]:
    labels = raw["Finding Labels"].str.split("|")
    unknown = labels.list.set_difference([NO_FINDING, *FINDING_NAMES]).list.len() > 0
    require_cells(raw, "Finding Labels", unknown, table, "names a finding that is not one of ChestX-ray14's")
    named = {finding: labels.list.contains(name) for name, finding in FINDING_NAMES.items()}
    none_named = labels.list.contains(NO_FINDING)
    present = named | {"no_finding": none_named, "any_finding": ~none_named}
    return {finding_column(finding): _presence(rows) for finding, rows in present.items()}


def _presence(rows: pl.Series) -> pl.Expr:
    return pl.when(pl.lit(rows)).then(pl.lit(PRESENT)).otherwise(pl.lit(ABSENT))


def _read_boxes(table: Path, images: pl.Series) -> pl.DataFrame:
    raw = read_table(table, ["Image Index", "Finding Label", *BOX_COLUMNS])
    require_cells(raw, "Finding Label", ~raw["Finding Label"].is_in(list(BOX_NAMES)), table, "is no finding")
    require_cells(raw, "Image Index", ~raw["Image Index"].is_in(images.implode()), table, "is not in the image table")
    return raw.select(
        key=pl.col("Image Index").str.strip_suffix(".png"),
        label=pl.col("Finding Label").replace_strict(BOX_NAMES),
        reader=pl.lit(None, pl.String),
        **{side: parse_numbers(raw, column, table) for column, side in BOX_COLUMNS.items()},
    )


def _official_split(images: pl.Series, root: Path, layout: NihCxr14Layout) -> pl.Series:
    train = set(read_list(root / layout.train_val_list))
    test = set(read_list(root / layout.test_list)) if layout.test_list else set(images) - train
    for image in sorted(train & test):
        raise UserError(
            f"{root}: image '{image}' is in both {layout.train_val_list} and {layout.test_list}; "
            "use the publisher's original lists"
        )
    val = {line.split()[0] for line in read_list(root / layout.val_list)} if layout.val_list else set()
    for image in sorted(val - train):
        raise UserError(
            f"{root}: image '{image}' of {layout.val_list} is not in {layout.train_val_list}; correct the list"
        )
    parts = dict.fromkeys(train, "train") | dict.fromkeys(val, "val") | dict.fromkeys(test, "test")
    return images.replace_strict(parts, default=None, return_dtype=pl.String)

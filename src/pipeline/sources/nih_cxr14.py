"""NIH ChestX-ray14: one table of 112,120 images, two official lists, image files by name."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.corpora import NihCxr14Layout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.tables import find_images, read_list, read_table

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
OLDEST = 120  # years; the 2017 table holds ages like 411, which are typing errors


def read_corpus(root: Path, layout: NihCxr14Layout) -> RawCorpus:
    """Read the table; every listed image has a row, whether its file is there or not."""
    table = root / layout.table
    raw = read_table(table, COLUMNS)
    files = find_images(root, layout.images)
    patient = pl.lit("nih:") + pl.col("Patient ID").str.zfill(8)
    rows = raw.select(
        key=pl.col("Image Index").str.strip_suffix(".png"),
        patient=patient,
        study=patient + pl.lit("/") + pl.col("Follow-up #"),
        view=pl.col("View Position").replace_strict({"AP": "AP", "PA": "PA"}, default="UNKNOWN"),
        sex=pl.col("Patient Gender").replace_strict({"F": "F", "M": "M"}, default=None),
        age=_age(),
        path=pl.col("Image Index").replace(files),
        official_split=_official_split(raw["Image Index"], root, layout),
        **_findings(raw, table),
    )
    unlisted = sorted(set(files) - set(raw["Image Index"]))
    tables = (layout.table, layout.train_val_list, layout.test_list)
    return RawCorpus(complete_rows(rows), tables, tuple(files[name] for name in unlisted))


def _age() -> pl.Expr:
    years = pl.col("Patient Age").str.extract(r"^0*(\d+)").cast(pl.Float32)
    return pl.when(years <= OLDEST).then(years)


def _findings(raw: pl.DataFrame, table: Path) -> dict[str, pl.Expr]:
    labels = raw["Finding Labels"].str.split("|")
    for unknown in sorted(set(labels.explode()) - {NO_FINDING, *FINDING_NAMES}, key=str):
        raise UserError(
            f"{table}: finding '{unknown}' is not one of ChestX-ray14's; use the publisher's original table"
        )
    named = {finding: labels.list.contains(name) for name, finding in FINDING_NAMES.items()}
    none_named = labels.list.contains(NO_FINDING)
    present = named | {"no_finding": none_named, "any_finding": ~none_named}
    return {finding_column(finding): _presence(rows) for finding, rows in present.items()}


def _presence(rows: pl.Series) -> pl.Expr:
    return pl.when(pl.lit(rows)).then(pl.lit(PRESENT)).otherwise(pl.lit(ABSENT))


def _official_split(images: pl.Series, root: Path, layout: NihCxr14Layout) -> pl.Series:
    train, test = set(read_list(root / layout.train_val_list)), set(read_list(root / layout.test_list))
    for image in sorted(train & test):
        raise UserError(
            f"{root}: image '{image}' is in both {layout.train_val_list} and {layout.test_list}; "
            "use the publisher's original lists"
        )
    parts = dict.fromkeys(train, "train") | dict.fromkeys(test, "test")
    return images.replace_strict(parts, default=None, return_dtype=pl.String)

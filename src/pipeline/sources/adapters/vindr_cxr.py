"""VinDr-CXR: 15,000 images read by three radiologists each, and 3,000 by five in consensus."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNKNOWN, finding_column
from pipeline.settings.layouts.chest_xray import VindrCxrLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.boxes import add_boxes
from pipeline.sources.dicom_demographics import read_demographics
from pipeline.sources.image_files import expected_paths, match_images
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_table, require_cells, require_lines

FINDING_NAMES = {
    "Aortic enlargement": "aortic_enlargement",
    "Atelectasis": "atelectasis",
    "Calcification": "calcification",
    "Cardiomegaly": "cardiomegaly",
    "Clavicle fracture": "clavicle_fracture",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Emphysema": "emphysema",
    "Enlarged PA": "enlarged_pulmonary_artery",
    "ILD": "interstitial_lung_disease",
    "Infiltration": "infiltration",
    "Lung Opacity": "lung_opacity",
    "Lung cavity": "lung_cavity",
    "Lung cyst": "lung_cyst",
    "Mediastinal shift": "mediastinal_shift",
    "Nodule/Mass": "nodule_or_mass",
    "Pleural effusion": "pleural_effusion",
    "Pleural thickening": "pleural_thickening",
    "Pneumothorax": "pneumothorax",
    "Pulmonary fibrosis": "fibrosis",
    "Rib fracture": "rib_fracture",
    "Other lesion": "other_lesion",
    "COPD": "copd",
    "Lung tumor": "lung_tumor",
    "Pneumonia": "pneumonia",
    "Tuberculosis": "tuberculosis",
    "No finding": "no_finding",
}
OTHER_DISEASE = {"train": "Other diseases", "test": "Other disease"}  # the tables spell it apart
CORNERS = ("x_min", "y_min", "x_max", "y_max")


def read_corpus(trees: Trees, layout: VindrCxrLayout) -> RawCorpus:
    """Read both parts; a finding is present where at least `min_readers` name it, or the consensus does."""
    root = trees.own
    train, train_unlisted = _read_part(root, layout.train_labels, layout.train_images, "train", layout.min_readers)
    test, test_unlisted = _read_part(root, layout.test_labels, layout.test_images, "test", 1)
    rows = pl.concat([train, test])
    if layout.headers:
        rows = rows.with_columns(read_demographics(root, rows["path"]).select("sex", "age"))
    tables = {"train": layout.train_boxes, "test": layout.test_boxes}
    boxes = [_read_boxes(root / table, part, rows["key"]) for part, table in tables.items() if table]
    if boxes:
        rows = add_boxes(rows, boxes, complete=len(boxes) == len(tables))
    return RawCorpus(
        rows=complete_rows(rows),
        tables=(layout.train_labels, layout.test_labels, *(table for table in tables.values() if table)),
        unlisted=(*train_unlisted, *test_unlisted),
    )


def _read_part(
    root: Path, table: str, images: str, part: str, min_readers: int
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    votes = _read_votes(root / table, part, min_readers)
    paths, unlisted = match_images(root, images, votes["image_id"])
    alone = pl.lit("vindr:") + pl.col("image_id")
    rows = votes.select(
        key=pl.col("image_id"),
        patient=alone,
        patient_known=pl.lit(value=False),
        study=alone,
        view=pl.lit("PA"),  # the publisher took no other (Nguyen et al. 2022)
        sex=pl.lit(None, pl.String),
        age=pl.lit(None, pl.Float32),
        path=paths.fill_null(expected_paths(images, votes["image_id"])),
        official_split=pl.lit(part),
        **{column: pl.col(column) for column in votes.columns if column.startswith("finding_")},
    )
    return rows, unlisted


def _read_votes(table: Path, part: str, min_readers: int) -> pl.DataFrame:
    """Return one row per image with the presence of each finding."""
    names = FINDING_NAMES | {OTHER_DISEASE[part]: "other_disease"}
    reader = ["rad_id"] if part == "train" else []
    raw = read_table(table, ["image_id", *reader, *names])
    identity = raw.select("image_id", *reader)
    require_lines(identity["image_id"].is_null(), table, "column 'image_id' is empty")
    require_lines(identity.is_duplicated(), table, "the image stands there twice, of the same reader if there are any")
    readers = raw.select(pl.len().over("image_id")).to_series()
    require_lines(readers < min_readers, table, f"the image has fewer than {min_readers} readers (layout.min_readers)")
    votes = raw.select("image_id", **{finding: _vote(raw, name, table) for name, finding in names.items()})
    return votes.group_by("image_id", maintain_order=True).agg(
        _majority(finding, min_readers).alias(finding_column(finding)) for finding in names.values()
    )


def _vote(raw: pl.DataFrame, name: str, table: Path) -> pl.Series:
    votes = parse_numbers(raw, name, table)
    require_cells(raw, name, ~votes.is_in([0.0, 1.0]), table, "is neither 0 nor 1")
    return votes


def _majority(finding: str, min_readers: int) -> pl.Expr:
    votes = pl.col(finding)
    enough = pl.when(votes.count() >= min_readers).then(pl.lit(ABSENT)).otherwise(pl.lit(UNKNOWN))
    return pl.when(votes.sum() >= min_readers).then(pl.lit(PRESENT)).otherwise(enough)


def _read_boxes(table: Path, part: str, keys: pl.Series) -> pl.DataFrame:
    """Read the rows that have a box; those of class `No finding` have none."""
    reader = ["rad_id"] if part == "train" else []
    raw = read_table(table, ["image_id", *reader, "class_name", *CORNERS])
    names = FINDING_NAMES | dict.fromkeys(OTHER_DISEASE.values(), "other_disease")
    require_lines(~raw["image_id"].is_in(keys.implode()), table, "the image is in no table of labels")
    require_cells(raw, "class_name", ~raw["class_name"].is_in(list(names)), table, "is no finding")
    corners = raw.select(parse_numbers(raw, corner, table) for corner in CORNERS)
    missing = corners.select(pl.sum_horizontal(pl.all().is_null())).to_series()
    require_lines(missing.is_between(1, 3), table, "the box lacks a corner")
    return corners.select(
        key=raw["image_id"],
        label=raw["class_name"].replace_strict(names, return_dtype=pl.String),
        reader=raw["rad_id"] if reader else pl.lit(None, pl.String),
        left=pl.col("x_min"),
        top=pl.col("y_min"),
        width=pl.col("x_max") - pl.col("x_min"),
        height=pl.col("y_max") - pl.col("y_min"),
    ).filter(missing == 0)

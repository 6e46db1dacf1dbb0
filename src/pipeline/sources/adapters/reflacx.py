"""REFLACX: readings of MIMIC-CXR images with eye tracking, certainties and ellipses (spec RayGen E5, CXR-MIM B6)."""

import logging
from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNCERTAIN, UNKNOWN, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.mimic_derived import ReflacxLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.gaze.ellipses import read_boxes, readings_tables
from pipeline.sources.gaze.labels import FINDING_OF, SUPPORT_DEVICES, mapped_labels
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

log = logging.getLogger(__name__)

PHASES = tuple(FINDING_OF)
SIZE = ("image_size_x", "image_size_y")
IDENTITY = ("id", "split", "eye_tracking_data_discarded", "image", "dicom_id", "subject_id", *SIZE)
IMAGE_PATH = r"/p(?<of_subject>1\d{7})/s(?<study_id>5\d{7})/(?<of_dicom>[0-9a-f-]{44})\.dcm$"
READING = r"^P\d{3}R\d{6}$"
TRUTH = {"True": True, "False": False}
MOST_CERTAIN = 5


def read_corpus(trees: Trees, layout: ReflacxLayout) -> RawCorpus:
    """Read the tables of the three phases; one row per image, with what all its readers said.

    A finding is present or absent where more than half of the readers say so, and else uncertain; labels that
    a phase did not offer stay unknown. Readings whose eye tracking the publisher discarded count for findings
    and boxes, but not for gaze; their number goes to the log.
    """
    images = read_images(trees, layout)
    readings = pl.concat([_read_phase(trees, layout, phase, images) for phase in PHASES], how="diagonal")
    if readings.is_empty():
        raise UserError(f"{trees.own / layout.readings} has tables without a reading; use the publisher's own")
    findings = [column for column in readings.columns if column.startswith(finding_column(""))]
    usable = ~pl.col("discarded")
    rows = readings.group_by("dicom_id", maintain_order=True).agg(
        pl.col("subject_id", "study_id", "view", "path", "official_split").first(),
        *(_majority(pl.col(column)).alias(column) for column in findings),
        gaze=pl.struct(reading="id", path="fixations").filter(usable),
    )
    rows = rows.join(read_boxes(readings, trees.own, layout), on="dicom_id", how="left", maintain_order="left")
    gaze = pl.when(pl.col("gaze").list.len() > 0).then(pl.col("gaze"))
    boxes = pl.col("boxes").fill_null([])  # readers drew around all that they selected
    complete = rows.select("official_split", *findings, boxes=boxes, gaze=gaze, **identity())
    _report(readings, rows)
    tables = (*(_table(layout, phase) for phase in PHASES), *readings_tables(readings["id"], layout))
    return RawCorpus(complete_rows(complete), tables, tuple(readings.filter(usable)["fixations"]))


def _table(layout: ReflacxLayout, phase: int) -> str:
    return f"{layout.readings}/metadata_phase_{phase}.csv"


def _read_phase(trees: Trees, layout: ReflacxLayout, phase: int, images: pl.DataFrame) -> pl.DataFrame:
    """Return one row per reading, paired with its image."""
    table = trees.own / _table(layout, phase)
    raw = read_table(table, [*IDENTITY, *mapped_labels(phase).values(), SUPPORT_DEVICES])
    paired = pair_with_images(_with_study(raw, table), images, table)
    require_image_size(paired, *SIZE, table)
    named = paired["id"].str.contains(READING).fill_null(value=False) & ~paired["id"].is_duplicated()
    require_lines(~named, table, "column 'id' is no identifier of one reading")
    readings = paired.select(
        *("dicom_id", "subject_id", "study_id", "view", "path", "id"),
        phase=pl.lit(phase),
        official_split=official_part(paired, "split", table),
        discarded=_truth(paired, "eye_tracking_data_discarded", table),
        fixations=pl.format("{}/{}/fixations.csv", pl.lit(layout.readings), "id"),
        **_findings(paired, layout, phase, table),
    )
    require_one_part(readings, table)
    return readings


def _with_study(raw: pl.DataFrame, table: Path) -> pl.DataFrame:
    """Take the study, which has no column, from the path of the image."""
    inside = raw.select(pl.col("image").str.extract_groups(IMAGE_PATH)).unnest("image")
    agrees = (inside["of_subject"] == raw["subject_id"]) & (inside["of_dicom"] == raw["dicom_id"])
    what = "column 'image' is not the path of this subject's and image's DICOM file"
    require_lines(~agrees.fill_null(value=False), table, what)
    return raw.with_columns(inside["study_id"])


def _findings(paired: pl.DataFrame, layout: ReflacxLayout, phase: int, table: Path) -> dict[str, pl.Series]:
    devices = _truth(paired, SUPPORT_DEVICES, table).replace_strict({True: PRESENT, False: ABSENT})
    certainties = {finding: _presence(paired, label, layout, table) for finding, label in mapped_labels(phase).items()}
    return {finding_column(finding): said for finding, said in {**certainties, "support_devices": devices}.items()}


def _presence(paired: pl.DataFrame, label: str, layout: ReflacxLayout, table: Path) -> pl.Series:
    """Turn certainties into presence; a blank, like 0, is a label that the reader did not select."""
    words = {
        float(degree): PRESENT if degree >= layout.present_from else ABSENT if degree <= layout.absent_to else UNCERTAIN
        for degree in range(MOST_CERTAIN + 1)
    }
    certainty = parse_numbers(paired, label, table).fill_null(0.0)
    require_cells(paired, label, ~certainty.is_in(list(words)), table, "is no certainty from 0 to 5")
    return certainty.replace_strict(words, return_dtype=pl.String)


def _truth(paired: pl.DataFrame, column: str, table: Path) -> pl.Series:
    truth = paired[column].replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    require_cells(paired, column, truth.is_null(), table, "is neither True nor False")
    return truth


def _majority(said: pl.Expr) -> pl.Expr:
    """Return what more than half of those say who were asked."""
    asked = said.count()
    return (
        pl.when(asked == 0)
        .then(pl.lit(UNKNOWN))
        .when((said == PRESENT).sum() * 2 > asked)
        .then(pl.lit(PRESENT))
        .when((said == ABSENT).sum() * 2 > asked)
        .then(pl.lit(ABSENT))
        .otherwise(pl.lit(UNCERTAIN))
    )


def _report(readings: pl.DataFrame, rows: pl.DataFrame) -> None:
    log.info(
        "REFLACX: %d readings of %d images; the publisher discarded the eye tracking of %d readings, which leaves "
        "%d images without gaze",
        readings.height,
        rows.height,
        readings["discarded"].sum(),
        (rows["gaze"].list.len() == 0).sum(),
    )

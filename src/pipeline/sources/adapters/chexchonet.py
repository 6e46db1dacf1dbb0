"""CheXchoNet: X-rays with measurements and diagnoses of an echocardiogram of the same patient."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNKNOWN, finding_column
from pipeline.settings.layouts.chest_xray import ChexchonetLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.image_files import match_images
from pipeline.sources.labs.matrix import lab_lists
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_table, require_cells, require_lines

FINDING_NAMES = {
    "slvh": "left_ventricular_hypertrophy",
    "dlv": "dilated_left_ventricle",
    "composite_slvh_dlv": "hypertrophy_or_dilation",
    "heart_transplant": "heart_transplant",
    "lung_transplant": "lung_transplant",
    "pacemaker_or_icd": "pacemaker_or_icd",
}
MEASUREMENTS = ("ivsd", "lvpwd", "lvidd")
"""Thickness of septum and posterior wall and diameter of the left ventricle at the end of diastole, centimetres."""
IDENTITY = ("patient_id", "cxr_filename", "cxr_time_offset", "cxr_path")
PRESENCE_CODES = {1.0: PRESENT, 0.0: ABSENT}
TRUTH_VALUES = {"True": "1", "False": "0"}


def read_corpus(trees: Trees, layout: ChexchonetLayout) -> RawCorpus:
    """Read the table; the images of a patient on one day are one study, and measurements are kept as `labs`.

    All images are PA views by the publisher's description; no column says so.
    """
    root = trees.own
    table = root / layout.table
    raw = read_table(table, [*IDENTITY, "age", "sex", *MEASUREMENTS, *FINDING_NAMES])
    for column in IDENTITY:
        require_lines(raw[column].is_null(), table, f"column '{column}' is empty")
    repeated = raw["cxr_filename"].is_duplicated()
    require_lines(repeated, table, "column 'cxr_filename' names an image that another line names")
    raw = raw.with_columns(parse_numbers(raw, name, table) for name in MEASUREMENTS)
    key = raw["cxr_filename"].str.replace(r"\.\w+$", "")
    paths, unlisted = match_images(root, layout.images, key)
    patient = pl.lit("chexchonet:") + pl.col("patient_id")
    rows = raw.select(
        key=key,
        patient=patient,
        study=patient + pl.lit("/") + pl.col("cxr_time_offset"),
        view=pl.lit("PA"),
        sex=pl.col("sex").replace_strict({"F": "F", "M": "M"}, default=None),
        age=parse_numbers(raw, "age", table),
        path=paths.fill_null(raw["cxr_path"].str.strip_prefix("./")),
        official_split=pl.lit(None),
        labs=lab_lists({name: name for name in MEASUREMENTS}),
        **{finding_column(finding): _presence(raw, name, table) for name, finding in FINDING_NAMES.items()},
    )
    return RawCorpus(complete_rows(rows), (layout.table,), unlisted=unlisted)


def _presence(raw: pl.DataFrame, name: str, table: Path) -> pl.Series:
    codes = parse_numbers(raw.with_columns(pl.col(name).replace(TRUTH_VALUES)), name, table)
    require_cells(raw, name, ~codes.is_in(list(PRESENCE_CODES)), table, "is none of 1, 0 and blank")
    return codes.replace_strict(PRESENCE_CODES, default=UNKNOWN, return_dtype=pl.String)

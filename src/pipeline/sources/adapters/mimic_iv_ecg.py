"""MIMIC-IV-ECG 1.0: one table with one row per twelve-lead record, and two files per record."""

import polars as pl

from pipeline.settings.layouts.physiology import MimicIvEcgLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.locations import Trees
from pipeline.sources.tables import read_columns, require_lines

CELL_PATTERNS = {
    "subject_id": r"^1\d{7}$",
    "study_id": r"^4\d{7}$",
    "path": r"^files/p\d{4}/p\d{8}/s\d{8}/\d{8}$",
}


def read_corpus(trees: Trees, layout: MimicIvEcgLayout) -> RawCorpus:
    """Read the table; a record is a study of its own, and has no image."""
    table = trees.own / layout.table
    raw = read_columns(table, list(CELL_PATTERNS))
    for column, pattern in CELL_PATTERNS.items():
        well_formed = raw[column].str.contains(pattern).fill_null(value=False)
        require_lines(~well_formed, table, f"column '{column}' holds nothing of the publisher's form")
    require_lines(raw["study_id"].is_duplicated(), table, "column 'study_id' names a record that another line names")
    rows = raw.select(
        key="ecg" + pl.col("study_id"),
        patient="mimic:" + pl.col("subject_id"),
        study="mimic:ecg" + pl.col("study_id"),
        view=pl.lit("UNKNOWN"),
        sex=pl.lit(None),
        age=pl.lit(None),
        path=pl.lit(None),
        official_split=pl.lit(None),
        ecg=pl.col("path"),
    )
    files = (raw["path"] + ending for ending in (".hea", ".dat"))
    return RawCorpus(complete_rows(rows), (layout.table,), tuple(pl.concat(files)))

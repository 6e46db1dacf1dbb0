"""Symile-MIMIC 1.0.0: one row per admission with X-ray, ECG, laboratory values and findings (spec PaCX 1.3)."""

import logging
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.manifests.vocabulary import finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.physiology import SymileMimicLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.chexpert_labels import FINDING_NAMES, parse_presence
from pipeline.sources.labs.items import LAB_ITEMS
from pipeline.sources.labs.matrix import lab_lists
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_columns, require_file, require_lines

log = logging.getLogger(__name__)

LABELS = ("Atelectasis", "Cardiomegaly", "Edema", "Lung Opacity", "No Finding", "Pleural Effusion")

CELL_PATTERNS = {
    "subject_id": r"^1\d{7}$",
    "hadm_id": r"^2\d{7}$",
    "cxr_path": r"^files/p1\d/p1\d{7}/s5\d{7}/[0-9a-f-]+\.jpg$",
    "ecg_path": r"^files/p1\d{3}/p1\d{7}/s4\d{7}/4\d{7}$",
}
QUERY_LABEL = {"1": True, "1.0": True, "0": False, "0.0": False}


def read_corpus(trees: Trees, layout: SymileMimicLayout) -> RawCorpus:
    """Read the publisher's three parts; of the test table, which repeats admissions as candidates, the queries.

    Values of `labs` are those measured, in the publisher's units; items are the numbers of MIMIC's `d_labitems`.
    The table of `val_retrieval` holds the admissions of `val` again and is left to the evaluation of retrieval.
    """
    root = trees.own
    tables = {"train": layout.train_table, "val": layout.val_table, "test": layout.test_table}
    rows = complete_rows(pl.concat([_read_part(root, table, part, layout) for part, table in tables.items()]))
    _report_candidates(root / layout.val_retrieval_table)
    if layout.variant == "raw":
        return RawCorpus(rows, tuple(tables.values()))
    arrays = {name: [_array(layout, name, part) for part in tables] for name in ("hadm_id", "ecg")}
    return RawCorpus(rows, (*tables.values(), *arrays["hadm_id"]), attachments=tuple(arrays["ecg"]))


def _read_part(root: Path, table: str, part: str, layout: SymileMimicLayout) -> pl.DataFrame:
    path = root / table
    query_column = ["label"] if part == "test" else []
    raw = read_columns(path, [*CELL_PATTERNS, *LABELS, *LAB_ITEMS, *query_column])
    _check_cells(raw, path)
    queries = _are_queries(raw, path)
    if layout.variant == "arrays":
        _check_order(raw["hadm_id"], root, part, layout)
    rows = raw.with_row_index("row").with_columns(parse_numbers(raw, item, path) for item in LAB_ITEMS)
    image, ecg = _files(part, layout)
    described = rows.select(
        key="hadm" + pl.col("hadm_id"),
        patient="mimic:" + pl.col("subject_id"),
        study="mimic:" + pl.col("cxr_path").str.extract(r"/s(\d{8})/"),
        view=pl.lit("UNKNOWN"),  # AP or PA, but the table does not say which
        sex=pl.lit(None),
        age=pl.lit(None),
        path=image,
        official_split=pl.lit(part),
        ecg=ecg,
        labs=lab_lists({item: item for item in LAB_ITEMS}),
        **{finding_column(FINDING_NAMES[name]): parse_presence(raw, name, path) for name in LABELS},
    )
    return described.filter(queries)


def _check_cells(raw: pl.DataFrame, path: Path) -> None:
    for column, pattern in CELL_PATTERNS.items():
        well_formed = raw[column].str.contains(pattern).fill_null(value=False)
        require_lines(~well_formed, path, f"column '{column}' holds nothing of the publisher's form")


def _check_order(admissions: pl.Series, root: Path, part: str, layout: SymileMimicLayout) -> None:
    """Raise `UserError` unless the arrays have the table's rows in the table's order."""
    file = root / _array(layout, "hadm_id", part)
    require_file(file)
    in_array = np.asarray(_load(file))
    in_table = admissions.cast(pl.Int64).to_numpy()
    if in_array.shape != in_table.shape or (in_array != in_table).any():
        raise UserError(f"{file} does not list the {len(in_table)} admissions of the table of part '{part}' in order")
    for name in ("cxr", "ecg"):
        array = root / _array(layout, name, part)
        if array.is_file() and len(_load(array)) != len(in_table):
            raise UserError(f"{array} does not have the {len(in_table)} rows of the table of part '{part}'")


def _load(file: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    try:
        array: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is not a readable array: {error}; download it again") from error
    return array


def _array(layout: SymileMimicLayout, name: str, part: str) -> str:
    return f"{layout.arrays}/{part}/{name}_{part}.npy"


def _files(part: str, layout: SymileMimicLayout) -> tuple[pl.Expr, pl.Expr]:
    """Return where the image and the ECG of a row are."""
    if layout.variant == "raw":
        return pl.col("cxr_path"), pl.col("ecg_path")
    image, ecg = (pl.format("{}#{}", pl.lit(_array(layout, name, part)), "row") for name in ("cxr", "ecg"))
    return image, ecg


def _are_queries(raw: pl.DataFrame, path: Path) -> pl.Series:
    """Tell which rows stand for an admission of their own: all, but in the test table, which labels its queries 1."""
    label = raw["label"] if "label" in raw.columns else pl.Series(["1"] * raw.height, dtype=pl.String)
    require_lines(~label.is_in(list(QUERY_LABEL)).fill_null(value=False), path, "column 'label' is not 0 or 1")
    queries = label.replace_strict(QUERY_LABEL, return_dtype=pl.Boolean)
    repeated = queries & raw.select("hadm_id", queries.alias("query")).is_duplicated()
    require_lines(repeated, path, "column 'hadm_id' names an admission that another line names")
    if not queries.all():
        log.info("%s: %d rows are candidates of other queries and are left out", path, (~queries).sum())
    return queries


def _report_candidates(path: Path) -> None:
    if path.is_file():
        candidates = read_columns(path, ["hadm_id"]).height
        log.info("%s: its %d rows repeat the val part and are left to the evaluation of retrieval", path, candidates)

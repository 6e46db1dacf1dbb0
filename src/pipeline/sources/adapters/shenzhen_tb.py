"""Shenzhen tuberculosis set: one frontal image per patient, findings as text, the label in the file name too."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.collections import ShenzhenTbLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.image_files import match_images
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_list, read_table, require_cells

NORMAL = "normal"
IMAGE = r"^CHNCXR_(\d{4})_([01])$"
IMAGE_FOLDER = {"raddar": "images", "nlm": "ChinaSet_AllFiles/CXR_png"}
SEX_CODES = {"male": "M", "female": "F"}
SEX, AGE, UNIT = r"^(?i)\s*(female|male)", r"(\d+)\s*\pL", r"\d\s*(\pL)"
UNITS_PER_YEAR = {"y": 1.0, "m": 12.0, "d": 365.25}


def read_corpus(trees: Trees, layout: ShenzhenTbLayout) -> RawCorpus:
    """Read the table, or the text files, and check them against the labels in the file names."""
    root = trees.own
    source = root / (layout.table if layout.tables == "raddar" else layout.readings)
    files = [source] if layout.tables == "raddar" else _list_readings(source)
    raw = _read_table(source) if layout.tables == "raddar" else _read_readings(files)
    _check_labels(raw)
    return _corpus(raw, root, layout, tuple(file.relative_to(root).as_posix() for file in files))


def _corpus(raw: pl.DataFrame, root: Path, layout: ShenzhenTbLayout, tables: tuple[str, ...]) -> RawCorpus:
    name = raw["study_id"]
    paths, unlisted = match_images(root, layout.images, name)
    expected = IMAGE_FOLDER[layout.tables] + "/" + name + ".png"
    patient = "shenzhen:" + name.str.extract(IMAGE)
    rows = raw.select(
        key=name,
        patient=patient,
        study=patient,
        view=pl.lit("UNKNOWN"),
        sex=pl.col("sex").str.strip_chars().str.to_lowercase().replace_strict(SEX_CODES, default=None),
        age=pl.col("age"),
        path=paths.fill_null(expected),
        official_split=pl.lit(None),
        **_presence(_is_normal(raw["findings"])),
    )
    return RawCorpus(complete_rows(rows), tables, unlisted=unlisted)


def _read_table(table: Path) -> pl.DataFrame:
    raw = read_table(table, ["study_id", "sex", "age", "findings"])
    require_cells(raw, "study_id", raw["study_id"].is_null(), table, "names no image")
    raw = raw.with_columns(pl.col("study_id").str.strip_suffix(".png"), age=parse_numbers(raw, "age", table))
    raw = raw.with_columns(place=pl.format("{}, line {}", pl.lit(str(table)), pl.int_range(2, pl.len() + 2)))
    _refuse(raw, raw["study_id"].is_duplicated(), "stands in another line too; use the publisher's original table")
    return raw


def _list_readings(folder: Path) -> list[Path]:
    files = sorted(folder.glob("CHNCXR_*.txt"))
    if not files:
        raise UserError(f"{folder} holds no file CHNCXR_*.txt; put the publisher's clinical readings there")
    return files


def _read_readings(files: list[Path]) -> pl.DataFrame:
    """Read one text file per image: sex and age in the first line (`Male 45yrs`), findings in the others."""
    texts = [read_list(file) or [""] for file in files]
    raw = pl.DataFrame(
        {
            "place": [str(file) for file in files],
            "study_id": [file.stem for file in files],
            "person": [lines[0] for lines in texts],
            "findings": [" ".join(lines[1:]) or None for lines in texts],
        },
        schema_overrides={"findings": pl.String},
    )
    per_year = pl.col("person").str.extract(UNIT).str.to_lowercase().replace_strict(UNITS_PER_YEAR, default=None)
    count = pl.col("person").str.extract(AGE).cast(pl.Float64)
    return raw.with_columns(sex=pl.col("person").str.extract(SEX), age=count / per_year)


def _check_labels(raw: pl.DataFrame) -> None:
    """Raise `UserError` where a name is none of the set's, findings are blank, or the two disagree."""
    labels, normal = raw["study_id"].str.extract(IMAGE, 2), _is_normal(raw["findings"])
    _refuse(raw, labels.is_null(), "is not named as in the set (CHNCXR_0001_0); use the original names")
    _refuse(raw, raw["findings"].is_null(), "has no findings; use the publisher's original text")
    _refuse(
        raw,
        (labels == "0") != normal,
        "has a label in its name that its findings '{}' contradict; use the publisher's original names and text",
    )


def _refuse(raw: pl.DataFrame, wrong: pl.Series, what: str) -> None:
    for place, findings in raw.filter(wrong).select("place", "findings").head(1).iter_rows():
        raise UserError(f"{place}: the image {what.format(findings)}")


def _is_normal(findings: pl.Series) -> pl.Series:
    return findings.str.strip_chars().str.to_lowercase() == NORMAL


def _presence(normal: pl.Series) -> dict[str, pl.Expr]:
    words = {"no_finding": (PRESENT, ABSENT), "tuberculosis": (ABSENT, PRESENT)}
    return {
        finding_column(finding): pl.when(pl.lit(normal)).then(pl.lit(healthy)).otherwise(pl.lit(ill))
        for finding, (healthy, ill) in words.items()
    }

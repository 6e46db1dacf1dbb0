"""CheXpert-v1.0(-small): tables with one row per image, findings as 1.0, 0.0, -1.0 or blank."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import finding_column
from pipeline.settings.layouts.chest_xray import ChexpertLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.chexpert_labels import FINDING_NAMES, parse_presence
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_table, require_lines

IMAGE_PATH = r"^[^/]+/([^/]+/patient\d+/study\d+/[^/]+\.\w+)$"
SEX_CODES = {"Male": "M", "Female": "F"}  # one row says Unknown


def read_corpus(trees: Trees, layout: ChexpertLayout) -> RawCorpus:
    """Read both tables; the publisher's `valid` part, read by radiologists, is the test part here.

    Unlisted are the other images in the folders that the tables name; the side files of macOS, `._*`, are none.
    """
    root = trees.own
    parts = {"train": layout.train_table, "test": layout.valid_table}
    rows = pl.concat([_read_part(root / table, part) for part, table in parts.items()])
    return RawCorpus(complete_rows(rows), tuple(parts.values()), unlisted=_unlisted(root, rows["path"]))


def _read_part(table: Path, part: str) -> pl.DataFrame:
    raw = read_table(table, ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDING_NAMES])
    inside = _path_inside(raw["Path"], table)
    require_lines(inside.is_duplicated(), table, "column 'Path' names an image that another line names")
    patient = "chexpert:" + inside.str.extract(r"(patient\d+)/")
    return raw.select(
        key=inside.str.extract(r"(patient\d+/.+)\.\w+$").str.replace_all("/", "_"),
        patient=patient,
        study=patient + "/" + inside.str.extract(r"/(study\d+)/"),
        view=_view(),
        sex=pl.col("Sex").replace_strict(SEX_CODES, default=None),
        age=parse_numbers(raw, "Age", table),
        path=inside,
        official_split=pl.lit(part),
        **{finding_column(finding): parse_presence(raw, name, table) for name, finding in FINDING_NAMES.items()},
    )


def _unlisted(root: Path, listed: pl.Series) -> tuple[str, ...]:
    folders = listed.str.extract(r"^([^/]+)/").unique().sort()
    files = (path for folder in folders for path in root.glob(f"{folder}/**/*.jpg"))
    found = {path.relative_to(root).as_posix() for path in files if not path.name.startswith("._")}
    return tuple(sorted(found - set(listed)))


def _path_inside(paths: pl.Series, table: Path) -> pl.Series:
    """Drop the first component, the folder's published name: users rename it."""
    inside = paths.str.extract(IMAGE_PATH)
    what = "column 'Path' is not a CheXpert image path (folder/part/patient1/study1/view.jpg)"
    require_lines(inside.is_null(), table, what)
    return inside.alias("path")


def _view() -> pl.Expr:
    frontal = pl.col("AP/PA").replace_strict({"AP": "AP", "PA": "PA"}, default="UNKNOWN")
    return pl.when(pl.col("Frontal/Lateral") == "Lateral").then(pl.lit("LATERAL")).otherwise(frontal)

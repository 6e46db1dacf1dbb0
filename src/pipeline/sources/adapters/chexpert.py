"""CheXpert-v1.0(-small): tables with one row per image, findings as 1.0, 0.0, -1.0 or blank."""

from pathlib import Path, PurePosixPath

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNCERTAIN, UNKNOWN, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.chest_xray import ChexpertLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_table, require_cells

FINDING_NAMES = {
    "No Finding": "no_finding",
    "Enlarged Cardiomediastinum": "enlarged_cardiomediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung_opacity",
    "Lung Lesion": "lung_lesion",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural_effusion",
    "Pleural Other": "pleural_other",
    "Fracture": "fracture",
    "Support Devices": "support_devices",
}
PRESENCE_CODES = {1.0: PRESENT, 0.0: ABSENT, -1.0: UNCERTAIN}
SEX_CODES = {"Male": "M", "Female": "F"}  # one row says Unknown


def read_corpus(trees: Trees, layout: ChexpertLayout) -> RawCorpus:
    """Read both tables; the publisher's `valid` part, read by radiologists, is the test part here."""
    root = trees.own
    parts = {"train": layout.train_table, "test": layout.valid_table}
    rows = pl.concat([_read_part(root / table, part) for part, table in parts.items()])
    return RawCorpus(complete_rows(rows), tuple(parts.values()))


def _read_part(table: Path, part: str) -> pl.DataFrame:
    raw = read_table(table, ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDING_NAMES])
    inside = pl.Series("path", [_path_inside(path, table) for path in raw["Path"]], dtype=pl.String)
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
        **{finding_column(finding): _presence(raw, name, table) for name, finding in FINDING_NAMES.items()},
    )


def _path_inside(path: str, table: Path) -> str:
    """Drop the first component, the folder's published name: users rename it."""
    parts = PurePosixPath(path or "").parts
    if len(parts) != 5 or not parts[2].startswith("patient"):
        raise UserError(
            f"{table}: '{path}' is not a CheXpert image path (folder/part/patient/study/view.jpg); "
            "use the publisher's original table"
        )
    return "/".join(parts[1:])


def _view() -> pl.Expr:
    frontal = pl.col("AP/PA").replace_strict({"AP": "AP", "PA": "PA"}, default="UNKNOWN")
    return pl.when(pl.col("Frontal/Lateral") == "Lateral").then(pl.lit("LATERAL")).otherwise(frontal)


def _presence(raw: pl.DataFrame, name: str, table: Path) -> pl.Series:
    codes = parse_numbers(raw, name, table)
    require_cells(raw, name, ~codes.is_in(list(PRESENCE_CODES)), table, "is none of 1.0, 0.0, -1.0 and blank")
    return codes.replace_strict(PRESENCE_CODES, default=UNKNOWN, return_dtype=pl.String)

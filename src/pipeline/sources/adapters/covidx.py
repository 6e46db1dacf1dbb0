"""COVIDx: space-separated lists of patient, file, class and source, one for each official part."""

from pathlib import Path

from pipeline.manifests.vocabulary import ABSENT, PRESENT
from pipeline.records.errors import UserError
from pipeline.settings.layouts.collections import CovidxLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.bimcv import identify
from pipeline.sources.class_folders import (
    Row,
    image_key,
    list_images,
    list_others,
    manifest_rows,
    presence_columns,
    relative_paths,
)
from pipeline.sources.locations import Trees
from pipeline.sources.tables import read_list

PRESENCE = {
    "normal": {"covid19": ABSENT, "non_covid_pneumonia": ABSENT, "pneumonia": ABSENT, "no_finding": PRESENT},
    "pneumonia": {"covid19": ABSENT, "non_covid_pneumonia": PRESENT, "pneumonia": PRESENT, "no_finding": ABSENT},
    "COVID-19": {"covid19": PRESENT, "non_covid_pneumonia": ABSENT, "no_finding": ABSENT},
    "positive": {"covid19": PRESENT, "non_covid_pneumonia": ABSENT, "no_finding": ABSENT},
    "negative": {"covid19": ABSENT},
}
"""Classes of the releases A, with three classes, and B, with two."""


def read_corpus(trees: Trees, layout: CovidxLayout) -> RawCorpus:
    """Read both lists; every listed image has a row, whether its file is there or not.

    Patients of BIMCV and RSNA keep the names that other corpora know them by.
    """
    root = trees.own
    parts = {"train": (layout.train_list, layout.train_folder), "test": (layout.test_list, layout.test_folder)}
    rows: list[Row] = []
    for split, (name, folder) in parts.items():
        rows += _read_part(root / name, split, folder)
    tables = (layout.train_list, layout.test_list)
    listed = {row["path"] for row in rows}.union(tables)
    found = [path for _, folder in parts.values() for path in _files(root / folder)]
    unlisted = tuple(path for path in relative_paths(found, root) if path not in listed)
    return RawCorpus(manifest_rows(rows, root), tables, unlisted=unlisted)


def _files(folder: Path) -> list[Path]:
    # Without images, the inventory says what is missing.
    return [*list_images(folder), *list_others(folder)] if folder.is_dir() else []


def _read_part(table: Path, split: str, folder: str) -> list[Row]:
    rows: dict[str, Row] = {}
    for number, line in enumerate(read_list(table), start=1):
        row = _row(line.split(), split, folder, f"{table}, entry {number}")
        if rows.setdefault(row["path"], row) is not row:
            raise UserError(f"{table}, entry {number} names an image that an earlier one names; remove it")
    return list(rows.values())


def _row(words: list[str], split: str, folder: str, place: str) -> Row:
    if len(words) < 4:
        raise UserError(
            f"{place} has {len(words)} words, not the four patient, file, class and source; "
            "use the lists of COVIDx 7 or later"
        )
    # Some releases write patients with a space, as in `COVID 12`.
    *names, image, label, source = words
    if label not in PRESENCE:
        raise UserError(f"{place}: class '{label}' is none of {', '.join(PRESENCE)}; use the publisher's original list")
    return {
        "key": image_key(split, *image.rsplit(".", 1)),
        "view": "UNKNOWN",
        **_identity("_".join(names), image, source),
        "sex": None,
        "age": None,
        "path": f"{folder}/{image}",
        "official_split": split,
        **presence_columns(PRESENCE[label]),
    }


def _identity(name: str, image: str, source: str) -> Row:
    """Return patient and study, of a source with names of its own as its other corpora have them."""
    stem = image.rsplit(".", 1)[0]
    if source == "bimcv":
        patient = f"bimcv:{name.removeprefix('sub-')}"
        return {"study": f"{patient}/{stem}", **identify(stem), "patient": patient}
    if source == "rsna":
        return {"patient": f"rsna:{name}", "study": f"rsna:{stem}"}
    return {"patient": f"covidx:{name}", "study": f"covidx:{name}/{image}"}

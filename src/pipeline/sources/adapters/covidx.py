"""COVIDx: space-separated lists of patient, file, class and source, one for each official part."""

from pathlib import Path

from pipeline.manifests.vocabulary import ABSENT, PRESENT
from pipeline.records.errors import UserError
from pipeline.settings.layouts.collections import CovidxLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.class_folders import Row, image_key, list_images, manifest_rows, presence_columns
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
    """Read both lists; every listed image has a row, whether its file is there or not."""
    root = trees.own
    parts = {"train": (layout.train_list, layout.train_folder), "test": (layout.test_list, layout.test_folder)}
    rows: list[Row] = []
    for split, (name, folder) in parts.items():
        rows += _read_part(root / name, split, folder)
    listed = {row["path"] for row in rows}
    files = [path.relative_to(root).as_posix() for _, folder in parts.values() for path in _images(root / folder)]
    unlisted = tuple(path for path in files if path not in listed)
    return RawCorpus(manifest_rows(rows, root), (layout.train_list, layout.test_list), unlisted=unlisted)


def _images(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []  # without images, the inventory says what is missing


def _read_part(table: Path, split: str, folder: str) -> list[Row]:
    return [
        _row(line.split(), split, folder, f"{table}, entry {number}")
        for number, line in enumerate(read_list(table), start=1)
    ]


def _row(words: list[str], split: str, folder: str, place: str) -> Row:
    if len(words) < 4:
        raise UserError(
            f"{place} has {len(words)} words, not the four patient, file, class and source; "
            "use the lists of COVIDx 7 or later"
        )
    # Some releases write patients with a space, as in `COVID 12`.
    *names, image, label, _ = words
    if label not in PRESENCE:
        raise UserError(f"{place}: class '{label}' is none of {', '.join(PRESENCE)}; use the publisher's original list")
    patient = f"covidx:{'_'.join(names)}"
    return {
        "key": image_key(split, *image.rsplit(".", 1)),
        "patient": patient,
        "study": f"{patient}/{image}",
        "view": "UNKNOWN",
        "sex": None,
        "age": None,
        "path": f"{folder}/{image}",
        "official_split": split,
        **presence_columns(PRESENCE[label]),
    }

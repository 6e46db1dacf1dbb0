"""COVIDx: space-separated lists, releases A and B, known patients."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.manifests.splits import assign_splits
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource, SplitSettings
from pipeline.settings.layouts.collections import CovidxLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.covidx import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", PhantomSource(kind="phantom", patients=12, image_size=32), "covidx")
    return tmp_path / "raw"


def read(root: Path, **settings: Any) -> RawCorpus:
    return read_corpus(Trees.alone(root), CovidxLayout(format="covidx", **settings))


def add(root: Path, line: str, part: str = "train") -> None:
    with (root / f"{part}_COVIDx9A.txt").open("a") as file:
        file.write(line + "\n")


def last(corpus: RawCorpus) -> dict[str, Any]:
    return corpus.rows.filter(pl.col("official_split") == "train").row(-1, named=True)


def test_every_image_has_a_row_and_its_part(root: Path) -> None:
    corpus = read(root)
    assert corpus.rows.schema == ROW_SCHEMA
    files = {p.relative_to(root).as_posix() for part in ("train", "test") for p in (root / part).iterdir()}
    assert set(corpus.rows["path"]) == files
    assert corpus.unlisted == ()
    assert (corpus.rows["path"].str.split("/").list.first() == corpus.rows["official_split"].cast(pl.String)).all()
    assert corpus.rows["key"].str.contains(r"^[A-Za-z0-9_-]+$").all()


def test_patients_are_known_and_in_one_part(root: Path) -> None:
    rows = read(root).rows
    assert rows["patient_known"].all()
    assert rows["patient"].n_unique() == 12
    assert set(assign_splits(rows, SplitSettings(scheme="official"), "covidx")) == {"train", "val", "test"}


def test_a_patient_in_both_lists_is_refused(root: Path) -> None:
    entries = (root / "train_COVIDx9A.txt").read_text().splitlines()
    patient = next(entry.split()[0] for entry in entries if entry.endswith(" rsna"))
    add(root, f"{patient} other.png normal rsna", part="test")
    with pytest.raises(UserError, match=f"patient 'rsna:{patient}' is in more than one official part"):
        assign_splits(read(root).rows, SplitSettings(scheme="official"), "covidx")


@pytest.mark.parametrize(
    ("label", "covid19", "non_covid_pneumonia", "pneumonia", "no_finding"),
    [
        ("normal", "absent", "absent", "absent", "present"),
        ("pneumonia", "absent", "present", "present", "absent"),
        ("COVID-19", "present", "absent", "unknown", "absent"),
        ("positive", "present", "absent", "unknown", "absent"),
        ("negative", "absent", "unknown", "unknown", "unknown"),
    ],
)
def test_classes_of_both_releases(
    root: Path, label: str, covid19: str, non_covid_pneumonia: str, pneumonia: str, no_finding: str
) -> None:
    add(root, f"77 other.png {label} cohen")
    row = last(read(root))
    assert row["patient"] == "covidx:77"
    assert row["finding_covid19"] == covid19
    assert row["finding_non_covid_pneumonia"] == non_covid_pneumonia
    assert row["finding_pneumonia"] == pneumonia
    assert row["finding_no_finding"] == no_finding


def test_a_patient_with_a_space_as_in_release_8(root: Path) -> None:
    add(root, "COVID 12 COVID(12).png COVID-19 sirm")
    row = last(read(root))
    assert (row["patient"], row["path"]) == ("covidx:COVID_12", "train/COVID(12).png")


@pytest.mark.parametrize(
    ("line", "patient", "study"),
    [
        ("0004cfab 0004cfab.png pneumonia rsna", "rsna:0004cfab", "rsna:0004cfab"),
        ("S03044 sub-S03044_ses-E08006_run-1_vp-ap_dx.png COVID-19 bimcv", "bimcv:S03044", "bimcv:E08006"),
        ("sub-S03044 other.png COVID-19 bimcv", "bimcv:S03044", "bimcv:S03044/other"),
        ("77 77.png COVID-19 cohen", "covidx:77", "covidx:77/77.png"),
    ],
)
def test_patients_of_other_corpora_keep_their_names(root: Path, line: str, patient: str, study: str) -> None:
    add(root, line)
    row = last(read(root))
    assert (row["patient"], row["study"]) == (patient, study)


def test_a_file_of_another_kind_is_unlisted(root: Path) -> None:
    (root / "test" / "Thumbs.bmp").touch()
    assert read(root).unlisted == ("test/Thumbs.bmp",)


def test_names_that_differ_only_in_punctuation_or_ending_keep_keys_of_their_own(root: Path) -> None:
    for name in ("COVID(12).png", "COVID-12.png", "COVID-12.jpg", "COVID (12).png".replace(" ", "-")):
        add(root, f"99 {name} COVID-19 sirm")
    assert read(root).rows["key"].is_unique().all()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("77 other.png covid cohen", "class 'covid' is none of normal, pneumonia, COVID-19, positive, negative"),
        ("other.png normal cohen", "has 3 words, not the four patient, file, class and source"),
    ],
)
def test_an_entry_that_cannot_be_is_named_by_its_number(root: Path, line: str, sentence: str) -> None:
    entries = len((root / "train_COVIDx9A.txt").read_text().splitlines())
    add(root, line)
    with pytest.raises(UserError, match=rf"train_COVIDx9A\.txt, entry {entries + 1}:? {sentence}"):
        read(root)


def test_an_image_without_an_entry_is_unlisted_and_an_entry_without_an_image_expected(root: Path) -> None:
    image = next((root / "train").iterdir())
    image.rename(root / "train" / "other.PNG")
    corpus = read(root)
    assert corpus.unlisted == ("train/other.PNG",)
    assert f"train/{image.name}" in set(corpus.rows["path"])


def test_a_missing_list_is_named(root: Path) -> None:
    with pytest.raises(UserError, match=r"test_COVIDx9B\.txt does not exist"):
        read(root, test_list="test_COVIDx9B.txt")

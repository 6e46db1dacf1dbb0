"""The adapters on the real, openly licensed sets, against the publishers' own counts."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.settings.layouts.chest_xray import NihCxr14Layout
from pipeline.settings.layouts.collections import KermanyLayout
from pipeline.settings.layouts.physiology import HannoverLayout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.locations import Trees

NIH = NihCxr14Layout(
    format="nih_cxr14",
    table="metadata/Data_Entry_2017_v2020.csv.gz",
    train_val_list="metadata/train_val_list.txt.gz",
    test_list="metadata/test_list.derived_complement.txt.gz",
    images="images_64px/*.png",
)
# Positive images in the order of the table of spec Medical MAE A4, whole corpus and test list.
NIH_TOTALS = {
    "atelectasis": (11559, 3279),
    "cardiomegaly": (2776, 1069),
    "pleural_effusion": (13317, 4658),
    "infiltration": (19894, 6112),
    "mass": (5782, 1748),
    "nodule": (6331, 1623),
    "pneumonia": (1431, 555),
    "pneumothorax": (5302, 2665),
    "consolidation": (4667, 1815),
    "edema": (2303, 925),
    "emphysema": (2516, 1093),
    "fibrosis": (1686, 435),
    "pleural_thickening": (3385, 1143),
    "hernia": (227, 86),
    "no_finding": (60361, 9861),
}


@pytest.fixture(scope="module")
def nih(real_data: Path) -> RawCorpus:
    return read_corpus(Trees.alone(real_data / "nih_cxr14"), NIH)


def test_chestxray14_has_every_row_of_the_official_table(nih: RawCorpus) -> None:
    assert nih.rows.schema == ROW_SCHEMA
    assert nih.rows.height == 112_120
    assert nih.rows["patient"].n_unique() == 30_805
    assert dict(nih.rows["view"].value_counts().iter_rows()) == {"PA": 67_310, "AP": 44_810}


def test_chestxray14_findings_are_the_published_counts(nih: RawCorpus) -> None:
    test = nih.rows.filter(pl.col("official_split") == "test")
    counted = {
        finding: tuple((rows[f"finding_{finding}"] == "present").sum() for rows in (nih.rows, test))
        for finding in NIH_TOTALS
    }
    assert counted == NIH_TOTALS
    assert (nih.rows["finding_any_finding"] == "present").sum() == 112_120 - 60_361


def test_chestxray14_keeps_the_official_test_list_and_its_patients_apart(nih: RawCorpus) -> None:
    parts = {part: nih.rows.filter(pl.col("official_split") == part) for part in ("train", "test")}
    assert {part: rows.height for part, rows in parts.items()} == {"train": 86_524, "test": 25_596}
    assert parts["test"]["patient"].n_unique() == 2_797
    assert not set(parts["train"]["patient"]) & set(parts["test"]["patient"])


def test_ages_that_nobody_reaches_are_unknown(nih: RawCorpus) -> None:
    assert nih.rows["age"].max() <= 120


def test_kermany_file_names_give_the_groups_of_the_licensed_subset(real_data: Path) -> None:
    root = real_data / "kermany_pediatric_cxr"
    rows = read_corpus(Trees.alone(root), KermanyLayout(format="kermany", images="images/*.jpg")).rows
    table = pl.read_csv(root / "labels.csv", columns=["path", "patient_id", "sublabel"])
    joined = rows.join(table, on="path", how="inner")
    assert joined.height == rows.height == 420
    assert joined.filter(pl.col("patient") != "kermany:" + pl.col("patient_id")).is_empty()
    named = {"normal": "no_finding", "bacteria": "bacterial_pneumonia", "virus": "viral_pneumonia"}
    for sublabel, finding in named.items():
        present = joined.filter(pl.col(f"finding_{finding}") == "present")
        assert set(present["sublabel"]) == {sublabel}
        assert present.height == (table["sublabel"] == sublabel).sum()


def test_hannover_rows_agree_with_the_derived_table(real_data: Path) -> None:
    root = real_data / "hannover_cxr_labs"
    rows = read_corpus(Trees.alone(root), HannoverLayout(format="hannover", images="images/*.jpg")).rows
    joined = rows.join(pl.read_csv(root / "labels.csv"), left_on="key", right_on="image_id")
    assert joined.height == rows.height == 243
    assert rows["patient"].n_unique() == 71
    assert joined.filter((pl.col("finding_icu_admission") == "present") != (pl.col("icu_ever") == 1)).is_empty()
    assert joined.filter(pl.col("view").cast(str) != pl.col("view_right")).is_empty()


def test_every_listed_image_that_exists_is_found(nih: RawCorpus, real_data: Path) -> None:
    there = [path for path in nih.rows["path"] if (real_data / "nih_cxr14" / path).is_file()]
    assert len(there) == 1_000
    assert nih.unlisted == ()

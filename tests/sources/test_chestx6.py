"""ChestX6: six exclusive classes, and altered copies that must not pass for images."""

import logging
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.collections import Chestx6Layout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.chestx6 import FINDINGS, read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", PhantomSource(kind="phantom", patients=18, image_size=32), "chestx6")
    return tmp_path / "raw"


def read(root: Path, **settings: Any) -> RawCorpus:
    return read_corpus(Trees.alone(root), Chestx6Layout(format="chestx6", **settings))


def all_files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.glob("chest-xray/*/*/*")}


def test_every_file_is_a_row_or_left_out(root: Path) -> None:
    corpus = read(root)
    assert corpus.rows.schema == ROW_SCHEMA
    assert {*corpus.rows["path"], *corpus.left_out} == all_files(root)
    assert set(corpus.rows["official_split"]) == {"train", "val", "test"}
    assert corpus.rows["key"].is_unique().all()


def test_classes_exclude_each_other(root: Path) -> None:
    rows = read(root).rows
    columns = [f"finding_{finding}" for finding in FINDINGS.values()]
    assert (rows.select(pl.sum_horizontal(pl.col(columns) == "present")).to_series() == 1).all()
    assert (rows.select(pl.sum_horizontal(pl.col(columns) == "absent")).to_series() == 5).all()
    for label, finding in FINDINGS.items():
        inside = rows.filter(pl.col("path").str.contains(f"/{label}/", literal=True))
        assert set(inside[f"finding_{finding}"]) == {"present"}


def test_both_pneumonias_are_pneumonia_and_covid19_may_be(root: Path) -> None:
    rows = read(root).rows.with_columns(label=pl.col("path").str.split("/").list.get(2))
    words = dict(rows.group_by("label").agg(pl.col("finding_pneumonia").unique().first()).iter_rows())
    assert words == dict.fromkeys(FINDINGS, "absent") | {
        "Pneumonia-Bacterial": "present",
        "Pneumonia-Viral": "present",
        "Covid-19": "unknown",
    }


def test_altered_copies_are_counted_not_used(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        corpus = read(root)
    copies = {path for path in all_files(root) if "/augmented_" in path}
    assert {path.split("/")[1] for path in copies} == {"train", "val"}
    assert set(corpus.left_out) == copies
    total = len(all_files(root))
    assert f"{len(copies)} of {total} images are altered copies, {len(copies)} left out" in caplog.text


def test_a_file_of_another_kind_is_counted(root: Path) -> None:
    other = next(root.glob("*/val/Normal/*")).with_suffix(".tif")
    other.touch()
    assert read(root).unlisted == (other.relative_to(root).as_posix(),)


def test_altered_copies_can_be_kept(root: Path) -> None:
    corpus = read(root, augmented="keep")
    assert set(corpus.rows["path"]) == all_files(root)
    assert corpus.left_out == ()


def test_a_class_nobody_knows_is_named(root: Path) -> None:
    (root / "chest-xray" / "val" / "Pneumothorax").mkdir()
    with pytest.raises(UserError, match="val/Pneumothorax: 'Pneumothorax' is not one of the publisher's folders"):
        read(root)


def test_a_part_nobody_knows_is_named(root: Path) -> None:
    (root / "chest-xray" / "valid").mkdir()
    with pytest.raises(UserError, match="'valid' is not one of the publisher's folders"):
        read(root)


def test_a_class_that_is_not_there_is_named(root: Path) -> None:
    shutil.rmtree(root / "chest-xray" / "test" / "Emphysema")
    with pytest.raises(UserError, match=r"the folder .*test/Emphysema does not exist"):
        read(root)


def test_the_top_folder_must_be_the_only_one(root: Path) -> None:
    (root / "copy" / "train").mkdir(parents=True)
    with pytest.raises(UserError, match="has 2 folders that match"):
        read(root)
    assert read(root, folder="chest-xray").rows.height
    with pytest.raises(UserError, match="has 0 folders that match 'nowhere'"):
        read(root, folder="nowhere")

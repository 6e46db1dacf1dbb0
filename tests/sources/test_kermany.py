"""Kermany's X-rays in the publisher's own folders."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.collections import KermanyLayout
from pipeline.sources.adapters.kermany import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort

LAYOUT = KermanyLayout(format="kermany")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", PhantomSource(kind="phantom", patients=12, image_size=32), "kermany")
    return tmp_path / "raw"


def test_the_default_settings_find_the_publishers_folders(root: Path) -> None:
    rows = read_corpus(Trees.alone(root), LAYOUT).rows
    assert set(rows["path"]) == {p.relative_to(root).as_posix() for p in root.glob("chest_xray/*/*/*.jpeg")}
    assert rows["patient"].n_unique() == 12
    healthy = rows["path"].str.contains("/NORMAL/", literal=True)
    assert set(rows.filter(healthy)["finding_no_finding"]) == {"present"}
    assert set(rows.filter(~healthy)["finding_pneumonia"]) == {"present"}
    germs = rows.filter(~healthy).select(pl.col("finding_bacterial_pneumonia") != pl.col("finding_viral_pneumonia"))
    assert germs.to_series().all()


def test_a_file_whose_name_tells_nothing_is_named(root: Path) -> None:
    next(root.glob("chest_xray/test/NORMAL/*.jpeg")).rename(root / "chest_xray" / "test" / "NORMAL" / "scan.jpeg")
    with pytest.raises(UserError, match=r"the name of 'chest_xray/test/NORMAL/scan\.jpeg' tells neither patient nor"):
        read_corpus(Trees.alone(root), LAYOUT)


def test_the_folder_that_kaggle_has_twice_is_refused(root: Path) -> None:
    file = next(root.glob("chest_xray/test/NORMAL/*.jpeg"))
    twin = root / "chest_xray" / "chest_xray" / "test" / "NORMAL" / file.name
    twin.parent.mkdir(parents=True)
    twin.write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="share a name; keep one of them"):
        read_corpus(Trees.alone(root), LAYOUT)


def test_the_side_files_of_a_mac_that_the_archive_holds_are_no_images(root: Path) -> None:
    before = read_corpus(Trees.alone(root), LAYOUT)
    image = next(root.glob("chest_xray/test/NORMAL/*.jpeg"))
    shadow = root / "__MACOSX" / image.relative_to(root)
    shadow.parent.mkdir(parents=True)
    for side_file in (shadow, shadow.with_name(f"._{image.name}"), image.with_name(f"._{image.name}")):
        side_file.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    after = read_corpus(Trees.alone(root), LAYOUT)
    assert after.rows.equals(before.rows)
    assert after.unlisted == before.unlisted

"""The open radiologists' masks: one row per image, masks in a list."""

from pathlib import Path

import cv2
import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.collections import OpenmaskLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.openmask import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", PhantomSource(kind="phantom", patients=12, image_size=48), "openmask")
    return tmp_path / "raw"


def read(root: Path) -> RawCorpus:
    return read_corpus(Trees.alone(root), OpenmaskLayout(format="openmask"))


def require_masks_on_images(root: Path, rows: pl.DataFrame) -> None:
    for image, masks in rows.select("path", "masks").iter_rows():
        shape = cv2.imread(str(root / image), cv2.IMREAD_GRAYSCALE).shape
        for mask in masks:
            drawn = cv2.imread(str(root / mask["path"]), cv2.IMREAD_UNCHANGED)
            assert drawn.shape == shape
            assert drawn.any()


def test_the_real_set_has_two_images_with_fourteen_masks(real_data: Path) -> None:
    root = real_data / "openmask_cxr"
    corpus = read(root)
    assert corpus.rows.schema == ROW_SCHEMA
    assert corpus.rows["key"].to_list() == ["ARDSSevere", "X-ray_of_cyst_in_pneumocystis_pneumonia_1"]
    assert corpus.rows["masks"].list.len().to_list() == [9, 5]
    assert len(corpus.attachments) == 14
    assert corpus.unlisted == ()
    assert corpus.rows["finding_consolidation"].to_list() == ["present", "unknown"]
    assert corpus.rows["finding_lung_opacity"].to_list() == ["present", "present"]
    assert corpus.rows["finding_support_devices"].to_list() == ["present", "unknown"]
    require_masks_on_images(root, corpus.rows)


def test_phantom_masks_lie_on_their_images(root: Path) -> None:
    corpus = read(root)
    assert set(corpus.rows["path"]) == {p.relative_to(root).as_posix() for p in root.glob("images/*.jpg")}
    assert {"left_lung", "right_lung", "cardiomediastinum"} <= {
        mask["structure"] for masks in corpus.rows["masks"] for mask in masks
    }
    require_masks_on_images(root, corpus.rows)


def test_the_right_lung_is_left_of_the_left_lung_and_apart_from_it(root: Path) -> None:
    for masks in read(root).rows["masks"]:
        by_name = {mask["structure"]: cv2.imread(str(root / mask["path"]), cv2.IMREAD_UNCHANGED) for mask in masks}
        right, left = by_name["right_lung"] > 0, by_name["left_lung"] > 0
        assert not (right & left).any()
        assert right.nonzero()[1].max() < left.nonzero()[1].min()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (("cardiomediastinum,CC0", "spleen,CC0"), r"line \d+: 'spleen' in column 'cls' is none of airways"),
        (("left_lung,CC0", "right_lung,CC0"), r"line \d+: 'right_lung' in column 'cls' is drawn twice in one image"),
        (("images/case0001_day1.jpg,", ","), r"line 2: 'None' in column 'image' names no file"),
        (("image,mask,cls", "image,mask,class"), "has no column 'cls'"),
    ],
)
def test_a_cell_that_cannot_be_is_named(root: Path, wrong: tuple[str, str], sentence: str) -> None:
    table = root / "masks.csv"
    table.write_text(table.read_text().replace(*wrong, 1))
    with pytest.raises(UserError, match=rf"masks\.csv.*{sentence}"):
        read(root)


def test_two_views_of_one_image_are_refused(root: Path) -> None:
    table = root / "masks.csv"
    first, second, *rest = table.read_text().splitlines()
    other = second[:-2] + {"AP": "PA", "PA": "AP"}[second[-2:]]
    table.write_text("\n".join([first, other, *rest]))
    with pytest.raises(UserError, match=r"image 'images/case0001_day1\.jpg' has the views AP and PA"):
        read(root)


def test_an_image_without_masks_is_unlisted(root: Path) -> None:
    (root / "images" / "new.jpg").write_bytes((root / "images" / "case0001_day1.jpg").read_bytes())
    assert read(root).unlisted == ("images/new.jpg",)

"""CXLSeg: masks for MIMIC's original images, and never for the publisher's segmented ones."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from corpus_stages import RawFolder

from pipeline.manifests.schema import ROW_SCHEMA, read_manifest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource, SplitSettings
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.settings.layouts.mimic_derived import CxlsegLayout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.adapters.cxlseg import is_masked_image
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort

SOURCE = PhantomSource(kind="phantom", patients=20, image_size=64)
LAYOUT = CxlsegLayout(format="cxlseg", images_of="mimic")


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    base = tmp_path_factory.mktemp("raw")
    write_cohort(base / "mimic", SOURCE, "mimic_cxr")
    write_cohort(base / "cxlseg", SOURCE, "cxlseg")
    return Trees(base / "cxlseg", base / "mimic", base / "cxlseg")


@pytest.fixture(scope="module")
def corpus(trees: Trees) -> RawCorpus:
    return read_corpus(trees, LAYOUT)


def gray(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return image


def test_each_mask_is_paired_with_the_original_image(corpus: RawCorpus, trees: Trees) -> None:
    assert corpus.rows.schema == ROW_SCHEMA
    for row in corpus.rows.iter_rows(named=True):
        [mask] = row["masks"]
        assert mask["structure"] == "lungs"
        assert mask["path"] == row["path"].replace(".jpg", "-mask.jpg")
        assert gray(trees.own / mask["path"]).shape == (224, 224)
        original = gray(trees.images / row["path"])
        assert min(original.shape) == 64
        assert 0.1 < (gray(trees.own / mask["path"]) > 127).mean() < 0.6


def test_masks_are_attachments_and_segmented_images_are_neither_images_nor_unlisted(corpus: RawCorpus) -> None:
    assert len(corpus.attachments) == corpus.rows.height
    assert all(path.endswith("-mask.jpg") for path in corpus.attachments)
    assert corpus.unlisted == ()


def test_the_publishers_segmented_images_are_told_from_originals(corpus: RawCorpus, trees: Trees) -> None:
    for path in corpus.rows["path"]:
        mask = gray(trees.own / path.replace(".jpg", "-mask.jpg"))
        assert is_masked_image(gray(trees.own / path), mask)
        assert not is_masked_image(gray(trees.images / path), mask)


def test_an_empty_mask_condemns_no_image() -> None:
    black = np.zeros((224, 224), np.uint8)
    assert not is_masked_image(black, black)


def test_segmented_images_in_the_place_of_originals_are_refused(trees: Trees, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(trees.images, images)
    for path in (trees.own / "files").rglob("*.jpg"):  # unpacked over the originals: the names are the same
        shutil.copyfile(path, images / path.relative_to(trees.own))
    sentence = r"CXLSeg-mask\.csv, line \d+: the image below .*images is black outside its lung mask, so it is CXLSeg's"
    with pytest.raises(UserError, match=sentence) as refused:
        read_corpus(Trees(trees.own, images, trees.own), LAYOUT)
    assert "/p1" not in str(refused.value)


def test_missing_images_are_left_to_the_inventory(trees: Trees, tmp_path: Path) -> None:
    shutil.copyfile(trees.images / "mimic-cxr-2.0.0-metadata.csv.gz", tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz")
    rows = read_corpus(Trees(trees.own, tmp_path, trees.own), LAYOUT).rows
    assert rows["path"].null_count() == 0


def test_the_official_parts_tear_patients_apart_and_scheme_patient_mends_it(trees: Trees) -> None:
    mimic = RawFolder(trees.images, MimicCxrLayout(format="mimic_cxr"))
    mimic.fetch()
    cxlseg = RawFolder(trees.own, LAYOUT, {"images": mimic})
    cxlseg.fetch()
    with pytest.raises(UserError, match="is in more than one official part"):
        cxlseg.build()
    manifest = read_manifest(cxlseg.build(SplitSettings(scheme="patient", test_fraction=0.3)))
    assert manifest.group_by("patient").agg(pl.col("split").n_unique())["split"].max() == 1
    assert set(manifest["file_state"]) == {"present"}


@pytest.mark.parametrize(
    ("table", "old", "new", "sentence"),
    [
        ("CXLSeg-mask.csv", "-mask.jpg", ".jpg", r"mask\.csv, line 2: column 'DicomPath' is no path of a mask"),
        ("CXLSeg-mask.csv", "/p10/p10", "/p11/p11", r"mask\.csv, line 2: column 'subject_id' is not the image's"),
        ("CXLSeg-split.csv", "split", "part", r"split\.csv has no column 'split'"),
        ("CXLSeg-split.csv", "train", "dev", r"split\.csv, line \d+: column 'split' names no split"),
    ],
)
def test_a_wrong_table_is_refused(trees: Trees, tmp_path: Path, table: str, old: str, new: str, sentence: str) -> None:
    for name in ("CXLSeg-mask.csv", "CXLSeg-split.csv"):
        text = (trees.own / name).read_text()
        (tmp_path / name).write_text(text.replace(old, new, 1) if name == table else text)
    with pytest.raises(UserError, match=sentence):
        read_corpus(Trees(tmp_path, trees.images, tmp_path), LAYOUT)

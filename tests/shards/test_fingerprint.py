from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from conftest import make_manifest
from corpus_stages import build_shards

from pipeline.manifests.schema import read_manifest, write_manifest
from pipeline.settings.audit import AuditSettings
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.fingerprint import BITS, fingerprint
from pipeline.shards.gray import GrayImage, resize_short_side
from pipeline.shards.images import read_gray
from pipeline.shards.index import read_index
from pipeline.shards.jpeg import decode_jpeg, encode_jpeg

NEAR = AuditSettings().near_identical_distance


def bits_apart(first: GrayImage, second: GrayImage) -> int:
    ours, theirs = (np.frombuffer(fingerprint(image), dtype=np.uint8) for image in (first, second))
    return int(np.bitwise_count(ours ^ theirs).sum())


def gamma(image: GrayImage, exponent: float) -> GrayImage:
    return np.asarray(np.round(255 * (image / 255.0) ** exponent), dtype=np.uint8)


def window(image: GrayImage, percent: float) -> GrayImage:
    low, high = np.percentile(image, [percent, 100 - percent])
    return np.asarray(np.clip((image - low) / (high - low) * 255, 0, 255), dtype=np.uint8)


@pytest.fixture(scope="session")
def radiographs(real_data: Path) -> list[GrayImage]:
    folders = (real_data / "nih_cxr14" / "images", real_data / "kermany_pediatric_cxr" / "images")
    return [read_gray(path) for folder in folders for path in sorted(folder.iterdir())[:20]]


@pytest.mark.parametrize(
    "copy",
    [
        lambda image: resize_short_side(image, 64),
        lambda image: resize_short_side(image, 224),
        lambda image: np.asarray(cv2.resize(image, (1024, 1024), interpolation=cv2.INTER_CUBIC), dtype=np.uint8),
        lambda image: decode_jpeg(encode_jpeg(image, 30)),
        lambda image: gamma(image, 0.6),
        lambda image: gamma(image, 1.6),
        lambda image: window(image, 5),
        lambda image: np.asarray(cv2.equalizeHist(image), dtype=np.uint8),
        lambda image: decode_jpeg(encode_jpeg(resize_short_side(gamma(image, 1.3), 64), 75)),
    ],
    ids=["64px", "224px", "1024px", "jpeg30", "darker", "brighter", "window", "equalised", "all"],
)
def test_copies_of_a_radiograph_are_near(radiographs: list[GrayImage], copy: Callable[[GrayImage], GrayImage]) -> None:
    assert max(bits_apart(image, copy(image)) for image in radiographs) <= NEAR


def test_different_radiographs_are_far_apart(radiographs: list[GrayImage]) -> None:
    apart = [bits_apart(first, second) for place, first in enumerate(radiographs) for second in radiographs[:place]]
    assert min(apart) > NEAR


def test_publishers_shrunken_copies_are_found(real_data: Path) -> None:
    large = {path.stem: path for path in (real_data / "nih_cxr14" / "images").iterdir()}
    small = {path.stem: path for path in (real_data / "nih_cxr14" / "images_64px").iterdir()}
    both = sorted(large.keys() & small.keys())
    assert len(both) == 24
    assert max(bits_apart(read_gray(large[name]), read_gray(small[name])) for name in both) <= NEAR


def test_a_negative_has_the_complement(radiographs: list[GrayImage]) -> None:
    assert min(bits_apart(image, 255 - image) for image in radiographs) >= BITS - NEAR


def test_an_image_without_contrast_has_a_fingerprint() -> None:
    assert fingerprint(np.full((40, 50), 7, dtype=np.uint8)) == bytes(BITS // 8)


def test_the_index_holds_the_fingerprint_of_the_image_before_it_was_encoded(tmp_path: Path) -> None:
    write_manifest(make_manifest(tmp_path / "raw"), tmp_path / "made.parquet")
    settings = ShardSettings(image_size=32, jpeg_quality=5)
    index = read_index(
        build_shards(tmp_path / "raw", settings, tmp_path / "made.parquet", tmp_path / "shards" / "index.parquet")
    )
    written = dict(zip(index["key"].to_pylist(), index["fingerprint"].to_pylist(), strict=True))
    expected = read_manifest(tmp_path / "made.parquet").select("key", "path").iter_rows()
    assert written == {
        key: fingerprint(resize_short_side(read_gray(tmp_path / "raw" / path), 32)) for key, path in expected
    }


def test_rows_of_one_array_file_are_written_each_with_its_fingerprint(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "raw")
    images = np.random.default_rng(0).integers(0, 256, (manifest.height, 40, 40), dtype=np.uint8)
    np.save(tmp_path / "raw" / "images.npy", images)
    paths = [f"images.npy#{row}" for row in range(manifest.height)]
    write_manifest(manifest.with_columns(path=pl.Series(paths)), tmp_path / "made.parquet")
    settings = ShardSettings(image_size=32)
    index = build_shards(tmp_path / "raw", settings, tmp_path / "made.parquet", tmp_path / "shards" / "index.parquet")
    assert len(set(read_index(index)["fingerprint"].to_pylist())) == manifest.height

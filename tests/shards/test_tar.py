import json
import zlib
from pathlib import Path

import cv2
import polars as pl
import pyarrow.parquet as pq
import pytest
import webdataset as wds

from pipeline.manifests.schema import read_manifest, write_manifest
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.index import read_shards
from pipeline.stages.write_shards import write_shards


def test_webdataset_streams_every_sample(made_index: Path, made_manifest: Path) -> None:
    tars = sorted(str(path) for path in made_index.parent.glob("*.tar"))
    streamed = {sample["__key__"]: sample for sample in wds.WebDataset(tars, shardshuffle=False)}
    manifest = read_manifest(made_manifest)
    assert set(streamed) == set(manifest["key"])
    for key, patient, split in manifest.select("key", "patient", "split").iter_rows():
        assert json.loads(streamed[key]["json"])["patient"] == patient
        assert json.loads(streamed[key]["json"])["split"] == split


def test_the_index_leads_to_each_image(made_index: Path) -> None:
    for row in pq.read_table(made_index).to_pylist():
        content = (made_index.parent / row["shard"]).read_bytes()[row["offset"] : row["offset"] + row["size"]]
        assert zlib.crc32(content) == row["crc32"]
        assert content.startswith(b"\xff\xd8")
        assert content.endswith(b"\xff\xd9")
        assert (row["height"], row["width"]) == (32, 37)


def test_a_shard_holds_one_split_and_the_index_its_digest(made_index: Path) -> None:
    rows = pq.read_table(made_index).to_pylist()
    for shard in read_shards(made_index):
        inside = [row for row in rows if row["shard"] == shard.shard]
        assert len(inside) == shard.samples <= 5
        assert len({row["split"] for row in inside}) == 1
        assert file_digest(made_index.parent / shard.shard) == shard.sha256


def test_rebuilding_gives_equal_bytes_for_any_number_of_threads(made_index: Path, made_manifest: Path) -> None:
    again = made_index.parents[1] / "again" / "index.parquet"
    root = made_manifest.parent / "raw"
    settings = ShardSettings(image_size=32, samples_per_shard=5)
    write_shards(root, settings, made_manifest, again, threads=7)
    first, second = ({path.name: file_digest(path) for path in index.parent.iterdir()} for index in (made_index, again))
    assert first == second


def test_shards_of_an_earlier_plan_do_not_stay(made_index: Path, made_manifest: Path) -> None:
    root = made_manifest.parent / "raw"
    larger = ShardSettings(image_size=32, samples_per_shard=50)
    write_shards(root, larger, made_manifest, made_index, threads=2)
    assert {path.name for path in made_index.parent.glob("*.tar")} == {s.shard for s in read_shards(made_index)}


def test_an_image_that_changed_since_its_inventory_is_named(made_manifest: Path) -> None:
    manifest = read_manifest(made_manifest).with_columns(sha256=pl.lit("0" * 64))
    write_manifest(manifest, made_manifest)
    root = made_manifest.parent / "raw"
    index = made_manifest.parent / "out" / "index.parquet"
    with pytest.raises(
        UserError, match=r"\.png has changed since the inventory was taken; restore it, or run snakemake"
    ):
        write_shards(root, ShardSettings(image_size=32), made_manifest, index, threads=2)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_bad_image_is_named_and_leaves_no_index(made_manifest: Path, damage: str) -> None:
    image = made_manifest.parent / "raw" / "004_1.png"
    if damage == "missing":
        image.unlink()
    else:
        cv2.imwrite(str(image.with_suffix(".jpg")), cv2.imread(str(image)))
        image.write_bytes(image.with_suffix(".jpg").read_bytes()[:400])
    index = made_manifest.parent / "out" / "index.parquet"
    root = image.parent
    with pytest.raises(UserError, match=r"004_1\.png"):
        write_shards(root, ShardSettings(image_size=32), made_manifest, index, threads=2)
    assert [path.name for path in index.parent.iterdir() if "index" in path.name or "tmp" in path.name] == []

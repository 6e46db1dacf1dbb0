import hashlib
import json
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
import webdataset as wds
from conftest import make_manifest
from corpus_stages import build_shards, empty_inventory, write_parts

from pipeline.manifests.schema import MANIFEST_SCHEMA, read_manifest, write_manifest
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.index import PARTS, read_index, read_shards, tables_of
from pipeline.sources.inventory import INVENTORY_SCHEMA, write_inventory
from pipeline.sources.locations import Trees
from pipeline.stages.write_shards import write_shards

SETTINGS = ShardSettings(image_size=32, samples_per_shard=5)


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    """Return a corpus whose images stand in one folder, and its masks in another."""
    return Trees(own=tmp_path / "own", images=tmp_path / "raw", ecg=tmp_path / "own")


@pytest.fixture
def manifest(tmp_path: Path, trees: Trees) -> Path:
    """Publish a manifest of images with masks, boxes and reports."""
    mask = np.zeros((36, 42), np.uint8)
    mask[10:20, 5:30] = 255
    trees.own.mkdir()
    cv2.imwrite(str(trees.own / "lungs.png"), mask)
    lungs = {"structure": "lungs", "path": "lungs.png", "left": None, "top": None}
    box = {"label": "nodule", "reader": "R1", "left": 4.0, "top": 9.0, "width": 18.0, "height": 27.0}
    rows = make_manifest(trees.images)
    companions = pl.DataFrame(
        {"masks": [[lungs]] * rows.height, "boxes": [[box]] * rows.height},
        {name: MANIFEST_SCHEMA[name] for name in ("masks", "boxes")},
    )
    digests = [file_digest(trees.images / path) for path in rows["path"]]
    complete = rows.with_columns(
        *companions, report_impression=pl.format("Image {}.", "key"), sha256=pl.Series(digests)
    )
    write_manifest(complete, tmp_path / "made.parquet")
    return tmp_path / "made.parquet"


def files(folder: Path) -> dict[str, str]:
    """Return the digest of each tar of a folder, and of the index."""
    return {path.name: file_digest(path) for path in folder.iterdir() if path.is_file()}


def test_webdataset_streams_every_image_with_all_that_belongs_to_it(trees: Trees, manifest: Path) -> None:
    index = build_shards(trees, SETTINGS, manifest, manifest.parent / "shards" / "index.parquet")
    tars = sorted(str(path) for path in index.parent.glob("*.tar"))
    streamed = {sample["__key__"]: sample for sample in wds.WebDataset(tars, shardshuffle=False).decode("l8")}
    rows = read_manifest(manifest)
    assert set(streamed) == set(rows["key"])
    for key, patient, split in rows.select("key", "patient", "split").iter_rows():
        sample = streamed[key]
        assert (sample["json"]["patient"], sample["json"]["split"]) == (patient, split)
        assert sample["json"]["boxes"][0]["label"] == "nodule"
        assert sample["impression.txt"] == f"Image {key}."
        assert sample["jpg"].shape == sample["mask.lungs.png"].shape == (32, 37)
        assert set(np.unique(sample["mask.lungs.png"])) == {0, 255}


def test_the_index_leads_to_each_member(trees: Trees, manifest: Path) -> None:
    index = build_shards(trees, SETTINGS, manifest, manifest.parent / "shards" / "index.parquet")
    views = dict(read_manifest(manifest).select("key", "view").iter_rows())
    for row in read_index(index).to_pylist():
        tar = (index.parent / row["shard"]).read_bytes()
        found = {
            m["name"]: tar[m["offset"] : m["offset"] + m["size"]] for m in [row | {"name": "jpg"}, *row["members"]]
        }
        assert set(found) == {"jpg", "json", "impression.txt", "mask.lungs.png"}
        assert [zlib.crc32(found[member["name"]]) for member in row["members"]] == [m["crc32"] for m in row["members"]]
        assert zlib.crc32(found["jpg"]) == row["crc32"]
        assert json.loads(found["json"])["patient"] == row["patient"]
        assert (row["height"], row["width"], row["view"]) == (32, 37, views[row["key"]])


@pytest.mark.parametrize(("parts", "threads"), [(1, 7), (2, 1), (3, 2), (20, 1)])
def test_tars_and_index_are_the_same_for_any_number_of_parts_and_threads(
    trees: Trees, manifest: Path, parts: int, threads: int
) -> None:
    once = build_shards(trees, SETTINGS, manifest, manifest.parent / "once" / "index.parquet", threads=1)
    settings = SETTINGS.model_copy(update={"parts": parts})
    again = build_shards(trees, settings, manifest, manifest.parent / "again" / "index.parquet", threads)
    assert files(once.parent) == files(again.parent)
    assert len(files(once.parent)) == 8


def test_a_part_without_a_tar_publishes_an_empty_table(trees: Trees, manifest: Path, tmp_path: Path) -> None:
    table = tmp_path / "shards" / PARTS / "9-of-9.parquet"
    settings = SETTINGS.model_copy(update={"parts": 9})
    write_shards(trees, settings, empty_inventory(manifest), manifest, 8, table, threads=1)
    assert read_index(table).num_rows == 0
    assert read_shards(table) == []


def test_a_shard_holds_one_split_and_the_index_its_size_and_digest(trees: Trees, manifest: Path) -> None:
    index = build_shards(trees, SETTINGS, manifest, manifest.parent / "shards" / "index.parquet")
    rows = read_index(index).to_pylist()
    for shard in read_shards(index):
        inside = [row for row in rows if row["shard"] == shard.shard]
        assert len(inside) == shard.samples <= 5
        assert len({row["split"] for row in inside}) == 1
        assert (index.parent / shard.shard).stat().st_size == shard.size
        assert file_digest(index.parent / shard.shard) == shard.sha256


def test_an_image_that_changed_since_its_inventory_is_named(trees: Trees, manifest: Path) -> None:
    cv2.imwrite(str(trees.images / "004_1.png"), np.zeros((36, 42), np.uint8))
    with pytest.raises(UserError, match=r"004_1\.png has changed since the inventory was taken; restore it, or run"):
        write_parts(trees, SETTINGS, manifest, manifest.parent / "shards")


@pytest.mark.parametrize(
    ("damage", "named"), [("truncated", "004_1.png"), ("gone", "004_1.png"), ("mask", "lungs.png")]
)
def test_a_bad_file_is_named_and_leaves_no_table(trees: Trees, manifest: Path, damage: str, named: str) -> None:
    write_manifest(read_manifest(manifest).with_columns(sha256=pl.lit(None, pl.String)), manifest)
    image = trees.images / "004_1.png"
    if damage == "truncated":
        image.write_bytes(cv2.imencode(".jpg", cv2.imread(str(image)))[1].tobytes()[:400])
    else:
        (image if damage == "gone" else trees.own / "lungs.png").unlink()
    with pytest.raises(UserError, match=named):
        write_parts(trees, SETTINGS, manifest, manifest.parent / "shards")
    left = [path.name for path in (manifest.parent / "shards").rglob("*") if path.is_file()]
    assert all(name.endswith(".tar") and not name.startswith(".") for name in left)


def test_a_manifest_without_a_present_image_is_refused(trees: Trees, manifest: Path) -> None:
    write_manifest(read_manifest(manifest).with_columns(file_state=pl.lit("missing")), manifest)
    with pytest.raises(UserError, match=r"made\.parquet lists no present image"):
        write_parts(trees, SETTINGS, manifest, manifest.parent / "shards")


@pytest.mark.parametrize("changed", [False, True])
def test_an_array_file_is_compared_with_the_inventory(trees: Trees, manifest: Path, changed: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 36, 42), dtype=np.uint8)
    np.save(trees.images / "images.npy", images)
    digest = hashlib.sha256((trees.images / "images.npy").read_bytes()).hexdigest()
    paths = pl.Series([f"images.npy#{row}" for row in range(24)])
    write_manifest(read_manifest(manifest).with_columns(path=paths, sha256=pl.lit(digest)), manifest)
    if changed:
        np.save(trees.images / "images.npy", images[::-1])
        with pytest.raises(UserError, match=r"images\.npy has changed since the inventory"):
            write_parts(trees, SETTINGS, manifest, manifest.parent / "shards")
    else:
        write_parts(trees, SETTINGS, manifest, manifest.parent / "shards")


KILLED_JOB = """
import os, signal, sys
from pathlib import Path
from pipeline.settings.corpora import ShardSettings
from pipeline.sources.locations import Trees
from pipeline.stages.write_shards import write_shards

own, images, inventory, manifest, table, settings, event, file = sys.argv[1:]

def die(name, arguments):
    if name == event and file in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
trees, settings = Trees(Path(own), Path(images), Path(own)), ShardSettings.model_validate_json(settings)
write_shards(trees, settings, Path(inventory), Path(manifest), 0, Path(table), threads=2)
"""


def kill(trees: Trees, settings: ShardSettings, manifest: Path, table: Path, event: str, file: str) -> None:
    """Start to write a part, and kill the job at an event on a file."""
    places = (trees.own, trees.images, empty_inventory(manifest), manifest, table)
    arguments = [*map(str, places), settings.model_dump_json(), event, file]
    job = subprocess.run([sys.executable, "-c", KILLED_JOB, *arguments], check=False)
    assert job.returncode == -9


@pytest.mark.parametrize(("event", "file"), [("open", "007_1.png"), ("os.rename", "1-of-1.parquet")])
def test_a_killed_part_leaves_no_table_and_is_written_anew(trees: Trees, manifest: Path, event: str, file: str) -> None:
    folder = manifest.parent / "killed"
    table = folder / PARTS / "1-of-1.parquet"
    kill(trees, SETTINGS, manifest, table, event, file)
    assert not table.exists()
    once = build_shards(trees, SETTINGS, manifest, manifest.parent / "once" / "index.parquet")
    assert files(build_shards(trees, SETTINGS, manifest, folder / "index.parquet").parent) == files(once.parent)


@pytest.mark.parametrize("other", [{"parts": 3, "jpeg_quality": 60}, {"samples_per_shard": 4}])
def test_a_build_killed_under_another_plan_leaves_nothing_that_speaks_of_the_tars_it_replaced(
    trees: Trees, manifest: Path, other: dict[str, int]
) -> None:
    settings = SETTINGS.model_copy(update={"parts": 2})
    index = build_shards(trees, settings, manifest, manifest.parent / "shards" / "index.parquet")
    before = files(index.parent)
    table = index.parent / PARTS / f"1-of-{other.get('parts', 2)}.parquet"
    kill(trees, settings.model_copy(update=other), manifest, table, "os.rename", table.name)
    replaced = {name for name, digest in files(index.parent).items() if before.get(name) != digest}
    assert len(replaced) > 1
    assert not index.exists()
    assert tables_of(index.parent, replaced) == []


def test_parts_of_one_plan_leave_each_others_tables(trees: Trees, manifest: Path) -> None:
    settings = SETTINGS.model_copy(update={"parts": 3})
    tables = write_parts(trees, settings, manifest, manifest.parent / "shards")
    for _ in range(2):
        assert all(table.exists() for table in tables)
        write_shards(trees, settings, empty_inventory(manifest), manifest, 1, tables[1], threads=1)


def test_a_mask_that_changed_since_its_inventory_is_named(trees: Trees, manifest: Path) -> None:
    mask = trees.own / "lungs.png"
    row = ("lungs.png", "attachment", "present", None, mask.stat().st_size, file_digest(mask))
    inventory = manifest.with_suffix(".hashed")
    write_inventory(pl.DataFrame([row], INVENTORY_SCHEMA, orient="row"), inventory)
    folder = manifest.parent / "shards"
    write_parts(trees, SETTINGS, manifest, folder, inventory=inventory)
    cv2.imwrite(str(mask), np.full((36, 42), 255, np.uint8))
    with pytest.raises(UserError, match=r"lungs\.png has changed since the inventory was taken; restore it, or run"):
        write_parts(trees, SETTINGS, manifest, folder, inventory=inventory)
    mask.unlink()
    with pytest.raises(UserError, match=r"lungs\.png has gone since the inventory was taken; restore it, or run"):
        write_parts(trees, SETTINGS, manifest, folder, inventory=inventory)

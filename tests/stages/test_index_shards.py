import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from conftest import make_manifest
from corpus_stages import write_parts

from pipeline.manifests.schema import read_manifest, write_manifest
from pipeline.records.errors import WRITE_AGAIN, UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.index import PARTS, read_index, read_shards, write_index
from pipeline.sources.locations import Trees
from pipeline.stages.index_shards import index_shards

SETTINGS = ShardSettings(image_size=32, samples_per_shard=5, parts=3)


@pytest.fixture
def folder(made_manifest: Path) -> Path:
    """Write all parts of a corpus, which are not yet merged, and return their folder."""
    folder = made_manifest.parent / "shards"
    write_parts(Trees.alone(made_manifest.parent / "raw"), SETTINGS, made_manifest, folder)
    return folder


def merge(folder: Path) -> Path:
    """Merge the tables that are in a folder."""
    index_shards(sorted((folder / PARTS).glob("*.parquet")), folder.parent / "made.parquet", folder / "index.parquet")
    return folder / "index.parquet"


def remove_a_tar(folder: Path) -> None:
    (folder / "val-000001.tar").unlink()


def shorten_a_tar(folder: Path) -> None:
    tar = folder / "val-000001.tar"
    tar.write_bytes(tar.read_bytes()[:-512])


def swap_two_tars(folder: Path) -> None:
    # Tars are padded to 10 KiB, so that many have the same size.
    one, two, aside = (folder / f"{name}.tar" for name in ("train-000000", "train-000001", "aside"))
    assert one.stat().st_size == two.stat().st_size
    one.rename(aside)
    two.rename(one)
    aside.rename(two)


def lose_a_part(folder: Path) -> None:
    (folder / PARTS / "2-of-3.parquet").unlink()


def repeat_a_part(folder: Path) -> None:
    shutil.copy(folder / PARTS / "2-of-3.parquet", folder / PARTS / "3-of-4.parquet")


def take_a_part_of_another_plan(folder: Path) -> None:
    settings = SETTINGS.model_copy(update={"samples_per_shard": 4})
    trees, manifest = Trees.alone(folder.parent / "raw"), folder.parent / "made.parquet"
    other = write_parts(trees, settings, manifest, folder.parent / "other")
    shutil.copy(other[1], folder / PARTS / other[1].name)


def add_an_image_to_the_manifest(folder: Path) -> None:
    rows = make_manifest(folder.parent / "raw", patients=13)
    write_manifest(rows, folder.parent / "made.parquet")


def move_a_patient_to_another_split(folder: Path) -> None:
    rows = read_manifest(folder.parent / "made.parquet")
    moved = pl.when(pl.col("patient") == "made:000").then(pl.lit("test")).otherwise(pl.col("split").cast(pl.String))
    write_manifest(rows.with_columns(split=moved.cast(rows.schema["split"])), folder.parent / "made.parquet")


def give_a_table_other_summaries(folder: Path) -> None:
    table = folder / PARTS / "1-of-3.parquet"
    shards = read_shards(table)
    write_index(table, read_index(table), [shards[1], shards[0], *shards[2:]])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove_a_tar, r"val-000001\.tar is gone"),
        (shorten_a_tar, r"val-000001\.tar has [\d,]+ bytes, and had"),
        (swap_two_tars, r"train-00000\d\.tar does not begin with the image '\d+_\d'"),
        (lose_a_part, r"image '\d+_\d' is present in .*made\.parquet but in no shard \(\d+ images in all\)"),
        (repeat_a_part, r"image '\d+_\d' is in two shards"),
        (take_a_part_of_another_plan, r"image '\d+_\d' is (in two shards|present in .* but in no shard)"),
        (add_an_image_to_the_manifest, r"image '012_\d' is present in .*made\.parquet but in no shard \(2 images"),
        (move_a_patient_to_another_split, r"image '000_\d' is in a shard but not, or not so, in .*\(2 images"),
        (give_a_table_other_summaries, r"1-of-3\.parquet does not hold the \d rows of"),
    ],
)
def test_parts_that_do_not_make_up_the_manifest_are_refused(
    folder: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=f"{sentence}.*{WRITE_AGAIN}"):
        merge(folder)
    assert not (folder / "index.parquet").exists()


def test_a_patient_of_two_splits_is_refused_whatever_the_manifest_says(folder: Path) -> None:
    table = folder / PARTS / "1-of-3.parquet"
    rows = read_index(table)
    stranger = next(row for row in rows.to_pylist() if row["split"] == "train")["patient"]
    manifest = folder.parent / "made.parquet"
    named = pl.when(pl.col("split") == "test").then(pl.lit(stranger)).otherwise("patient")
    spread = read_manifest(manifest).with_columns(patient=named)
    spread.write_parquet(manifest)
    for path in (folder / PARTS).glob("*.parquet"):
        rows, shards = read_index(path), read_shards(path)
        frame = pl.DataFrame(rows.select(["patient", "split"])).with_columns(patient=named)
        column = rows.schema.get_field_index("patient")
        write_index(path, rows.set_column(column, rows.schema.field(column), [frame["patient"].to_list()]), shards)
    with pytest.raises(UserError, match=rf"patient '{stranger}' is in the splits test and train"):
        merge(folder)


def test_rows_stand_as_planned_and_what_no_plan_names_is_removed(folder: Path) -> None:
    names = ("train-000009.tar", ".val-000000.tar.77.tmp", ".index.parquet.77.tmp")
    of_parts = ("1-of-7.parquet", ".1-of-2.parquet.77.tmp")
    strangers = [*(folder / name for name in names), *(folder / PARTS / name for name in of_parts)]
    tables = sorted((folder / PARTS).glob("*.parquet"))
    for path in strangers:
        path.write_bytes(b"of an earlier plan")
    index_shards(tables, folder.parent / "made.parquet", folder / "index.parquet")
    assert not any(path.exists() for path in strangers)
    named = [shard.shard for shard in read_shards(folder / "index.parquet")]
    assert named == [
        *(f"train-00000{n}.tar" for n in range(3)),
        *(f"{s}-00000{n}.tar" for s in ("val", "test") for n in range(2)),
    ]
    assert list(dict.fromkeys(read_index(folder / "index.parquet")["shard"].to_pylist())) == named
    assert sorted(path.name for path in folder.glob("*.tar")) == sorted(named)

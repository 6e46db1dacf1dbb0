import dataclasses
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from conftest import make_manifest
from corpus_stages import build_shards
from hypothesis import given
from hypothesis import strategies as st

from pipeline.manifests.schema import write_manifest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.index import read_index, read_shards, write_index
from pipeline.shards.verification import find_faults, require_whole_shards
from pipeline.stages.verify_shards import verify_shards


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one small tar for each split; tests put back what they change."""
    folder = tmp_path_factory.mktemp("verified")
    manifest = make_manifest(folder / "raw", patients=4).with_columns(report_findings=pl.lit("Clear lungs."))
    write_manifest(manifest, folder / "made.parquet")
    return build_shards(
        folder / "raw", ShardSettings(image_size=16), folder / "made.parquet", folder / "shards" / "index.parquet"
    )


@pytest.fixture
def tar(index: Path) -> Path:
    return index.parent / "train-000000.tar"


@given(st.data())
def test_a_bit_that_flips_anywhere_in_a_tar_is_found(index: Path, data: st.DataObject) -> None:
    tar = index.parent / data.draw(st.sampled_from([shard.shard for shard in read_shards(index)]))
    whole = tar.read_bytes()
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << bit
    inside = [row for row in read_index(index).to_pylist() if row["shard"] == tar.name and holds(row, place)]
    try:
        tar.write_bytes(damaged)
        faults = find_faults(index)
    finally:
        tar.write_bytes(whole)
    assert [(fault.shard, fault.key) for fault in faults] == [(tar.name, inside[0]["key"] if inside else None)]


def holds(row: dict[str, Any], place: int) -> bool:
    """Tell whether a byte of a tar belongs to a member of a sample, rather than to a header or to padding."""
    return any(0 <= place - member["offset"] < member["size"] for member in [row, *row["members"]])


def first_byte(row: dict[str, Any]) -> int:
    """Return where the first header of a sample stands."""
    return min(member["offset"] for member in [row, *row["members"]]) - tarfile.BLOCKSIZE


def test_whole_shards_have_no_faults(index: Path) -> None:
    assert find_faults(index) == []
    require_whole_shards(index.parent, read_shards(index))


@pytest.mark.parametrize("kept", range(4))
def test_a_tar_cut_between_two_samples_misses_each_that_follows(index: Path, tar: Path, kept: int) -> None:
    whole, rows = tar.read_bytes(), [row for row in read_index(index).to_pylist() if row["shard"] == tar.name]
    try:
        tar.write_bytes(whole[: first_byte(rows[kept])])
        faults = find_faults(index)
        with pytest.raises(UserError, match=rf"{tar.name} has [\d,]+ bytes, and had {len(whole):,}.*verify_shards"):
            require_whole_shards(index.parent, read_shards(index))
    finally:
        tar.write_bytes(whole)
    assert [fault.key for fault in faults] == [None, *(row["key"] for row in rows[kept:])]


def test_two_tars_under_each_others_names_are_found(index: Path, tar: Path) -> None:
    other = index.parent / "test-000000.tar"
    ours, theirs = tar.read_bytes(), other.read_bytes()
    try:
        tar.write_bytes(theirs)
        other.write_bytes(ours)
        faults = find_faults(index)
    finally:
        tar.write_bytes(ours)
        other.write_bytes(theirs)
    keys = {row["key"] for row in read_index(index).to_pylist() if row["shard"] in (tar.name, other.name)}
    assert {fault.key for fault in faults} - {None} == keys


def test_a_tar_that_is_gone_and_one_that_is_strange_are_named(index: Path, tar: Path) -> None:
    strange = tar.rename(tar.with_name("train-000007.tar"))
    try:
        faults = find_faults(index)
        with pytest.raises(UserError, match=rf"{tar.name} is gone; it had [\d,]+ bytes"):
            require_whole_shards(index.parent, read_shards(index))
    finally:
        strange.rename(tar)
    assert [(fault.shard, fault.key) for fault in faults] == [(tar.name, None), (strange.name, None)]


def test_an_index_of_another_build_names_every_sample(index: Path, tmp_path: Path) -> None:
    settings = ShardSettings(image_size=17)
    manifest = index.parents[1] / "made.parquet"
    newer = build_shards(index.parents[1] / "raw", settings, manifest, tmp_path / "shards" / "index.parquet")
    newer.write_bytes(index.read_bytes())
    assert {fault.key for fault in find_faults(newer)} >= set(read_index(index)["key"].to_pylist())


def test_rows_and_summaries_that_differ_are_found(index: Path, tmp_path: Path) -> None:
    table, shards = read_index(index), read_shards(index)
    copy = tmp_path / "index.parquet"
    for shard in shards:
        (tmp_path / shard.shard).symlink_to(index.parent / shard.shard)
    moved = pa.array([shards[1].shard, *table["shard"].to_pylist()[1:]])
    write_index(copy, table.set_column(table.schema.get_field_index("shard"), "shard", moved), shards)
    listed = [fault.shard for fault in find_faults(copy) if "of which the index lists" in fault.reason]
    assert listed == [shards[0].shard, shards[1].shard]
    write_index(copy, table, [dataclasses.replace(shards[0], sha256="0" * 64), *shards[1:]])
    assert [(fault.shard, fault.key) for fault in find_faults(copy)] == [(shards[0].shard, None)]


def test_the_command_names_each_fault_and_what_to_do(
    index: Path, tar: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_shards([index])
    assert capsys.readouterr().out == f"{index.parent}: 8 samples in 3 shards: whole\n"
    whole, row = tar.read_bytes(), read_index(index).to_pylist()[0]
    try:
        tar.write_bytes(whole[: row["offset"]] + b"\0" + whole[row["offset"] + 1 :])
        assert not verify_shards([index.parent / "no.parquet", index])
    finally:
        tar.write_bytes(whole)
    shown = capsys.readouterr().out.splitlines()
    again = f"snakemake shards --forcerun {index.parent / 'parts' / '1-of-1.parquet'}"
    assert shown[0].startswith(f"error: {index.parent / 'no.parquet'}")
    assert shown[1:] == [
        f"  if that fails: {again}",
        "  and then: snakemake all; both with the --profile and --configfile of the run",
        f"{index.parent}: 8 samples in 3 shards: 1 faults",
        f"  train-000000.tar {row['key']}: damaged: jpg",
        f"  to write them again: {again}",
        "  and then: snakemake all; both with the --profile and --configfile of the run",
    ]


def test_a_damaged_table_is_written_again_too_and_other_indexes_are_still_read(
    index: Path, tar: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(index.parents[1])
    damaged = index.parent / "parts" / "7-of-9.parquet"
    damaged.write_bytes(b"no table")
    hidden = tar.rename(tar.with_name("hidden"))
    try:
        assert not verify_shards([index, index])
    finally:
        hidden.rename(tar)
        damaged.unlink()
    tables = "shards/parts/1-of-1.parquet shards/parts/7-of-9.parquet"
    assert capsys.readouterr().out.count(f"to write them again: snakemake shards --forcerun {tables}\n") == 2


def test_the_exit_status_is_one_where_there_is_a_fault(index: Path, tar: Path) -> None:
    command = [sys.executable, "-m", "pipeline.stages.verify_shards", str(index)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    hidden = tar.rename(tar.with_name("hidden"))
    try:
        assert subprocess.run(command, check=False, capture_output=True).returncode == 1
    finally:
        hidden.rename(tar)
    assert subprocess.run(command[:-1], check=False, capture_output=True).returncode == 1

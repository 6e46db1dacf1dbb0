import contextlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.records.errors import UserError
from pipeline.shards.index import INDEX_SCHEMA, ShardSummary, read_index, read_shards, write_index
from pipeline.shards.tar import Sample, write_tar


def written(folder: Path) -> tuple[Path, pa.Table, list[ShardSummary]]:
    """Write an index of one tar of eight samples."""
    samples = (
        Sample(f"key{number}", "p:1", "p:1/0", "PA", "val", 7, 5, bytes(number), {"json": b"{}"}, bytes(32))
        for number in range(8)
    )
    rows, summary = write_tar(folder / "val-000000.tar", samples)
    write_index(folder / "index.parquet", rows, [summary])
    return folder / "index.parquet", rows, [summary]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table, list[ShardSummary]]:
    return written(tmp_path_factory.mktemp("index"))


def test_what_is_written_is_read(index: tuple[Path, pa.Table, list[ShardSummary]]) -> None:
    path, rows, shards = index
    assert read_index(path).equals(rows)
    assert read_index(path, ["members", "key"]).column_names == ["members", "key"]
    assert read_shards(path) == shards


@hypothesis_settings(max_examples=400)
@given(st.data())
def test_a_flipped_bit_is_refused_or_changes_nothing(
    index: tuple[Path, pa.Table, list[ShardSummary]], data: st.DataObject
) -> None:
    path, rows, shards = index
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = path.with_name("damaged.parquet")
    damaged.write_bytes(content)
    with contextlib.suppress(UserError):
        assert read_index(damaged).equals(rows)
    with contextlib.suppress(UserError):
        assert read_shards(damaged) == shards


@pytest.mark.parametrize("kept", [0, 3, 0.5, -1])
def test_an_index_that_is_cut_is_refused(index: tuple[Path, pa.Table, list[ShardSummary]], kept: float) -> None:
    path = index[0]
    content = path.read_bytes()
    cut = path.with_name("cut.parquet")
    cut.write_bytes(content[: round(len(content) * kept) if isinstance(kept, float) else kept])
    for read in (read_index, read_shards):
        with pytest.raises(UserError, match=r"cut\.parquet is no whole index"):
            read(cut)


def test_a_table_that_is_no_index_is_refused(tmp_path: Path, index: tuple[Path, pa.Table, list[ShardSummary]]) -> None:
    pq.write_table(INDEX_SCHEMA.empty_table(), tmp_path / "other.parquet")
    with pytest.raises(UserError, match=r"other\.parquet is no whole index"):
        read_shards(tmp_path / "other.parquet")
    with pytest.raises(UserError, match=r"index\.parquet is not there"):
        read_index(tmp_path / "index.parquet")

"""Publishers' tables as they come: what counts as blank, in tables read whole or by columns."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from pipeline.sources.tables import read_columns, read_table

Reader = Callable[[Path, Sequence[str]], pl.DataFrame]
TEXT = 'name,age,note\n"a","58",""\n"","","said ""no"""\nb,,\n'
CELLS = [("a", "58", None), (None, None, 'said "no"'), ("b", None, None)]


@pytest.mark.parametrize("read", [read_table, read_columns])
@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_blank_is_null_in_quotes_too(tmp_path: Path, read: Reader, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(TEXT.encode()) if name.endswith(".gz") else TEXT.encode())
    assert read(tmp_path / name, ["name", "age", "note"]).rows() == CELLS

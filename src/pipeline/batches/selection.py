"""Which samples of an index are wanted, and their rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.records.errors import WRITE_AGAIN, UserError
from pipeline.shards.index import read_index, read_shards
from pipeline.shards.verification import require_whole_shards

_COLUMNS = ("key", "shard", "offset", "size", "crc32", "width", "height", "split", "view")
_DECIDING = ("split", "view")


@dataclass(frozen=True)
class Selection:
    """Say which samples are wanted: those that meet all conditions."""

    splits: tuple[str, ...]
    """Splits they are of."""
    views: tuple[str, ...] = ()
    """Views they show; empty for all."""
    keys: frozenset[str] | None = None
    """Keys they are among; unset, whatever their key."""

    def __str__(self) -> str:
        """Return the conditions as the end of a sentence."""
        views = f" and views {', '.join(self.views)}" if self.views else ""
        keys = "" if self.keys is None else f" among {len(self.keys)} keys"
        return f"the splits {', '.join(self.splits)}{views}{keys}"

    def wanted(self, table: pa.Table) -> pa.ChunkedArray:
        """Return for each row of an index whether it is wanted."""
        wanted = pc.is_in(table["split"], pa.array(self.splits, pa.string()))
        if self.views:
            wanted = pc.and_(wanted, pc.is_in(table["view"], pa.array(self.views, pa.string())))
        if self.keys is not None:
            wanted = pc.and_(wanted, pc.is_in(table["key"], pa.array(sorted(self.keys), pa.string())))
        return wanted


@dataclass(frozen=True)
class SelectedRows:
    """Hold the rows of one index that are wanted."""

    index: Path
    columns: pa.Table
    """Where the wanted images stand, and their size."""
    rows: Mapping[str, int]
    """How many rows each shard has in the whole index."""
    wanted: pa.ChunkedArray
    """For each row of the whole index whether it is wanted."""

    def read_members(self) -> pa.ChunkedArray:
        """Read the column `members` of the wanted rows, which takes longer than all others together."""
        return read_index(self.index, ["members"])["members"].filter(self.wanted)

    def require_whole_shards(self) -> None:
        """Check that the shards of wanted rows are there, of the size they were written with, and in the index whole.

        Raises `UserError` naming the first that is not.
        """
        summaries = {summary.shard: summary for summary in read_shards(self.index)}
        needed = sorted(pc.unique(self.columns["shard"]).to_pylist())
        for shard in needed:
            listed = summaries[shard].samples if shard in summaries else 0
            if listed != self.rows[shard]:
                raise UserError(
                    f"{self.index.parent / shard} holds {listed} samples, of which the index beside it has "
                    f"{self.rows[shard]}; {WRITE_AGAIN}"
                )
        require_whole_shards(self.index.parent, [summaries[shard] for shard in needed])


def select(index: Path, selection: Selection) -> SelectedRows:
    """Read the rows of an index that are wanted. Raises `UserError` naming an index that is damaged."""
    table = read_index(index, _COLUMNS).replace_schema_metadata(None)
    counts = pc.value_counts(table["shard"])
    rows = dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))
    wanted = selection.wanted(table)
    return SelectedRows(index, table.drop_columns(_DECIDING).filter(wanted), rows, wanted)

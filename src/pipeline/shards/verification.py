"""Whether tars are what their index says, to the last bit."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.records.errors import WRITE_AGAIN, UserError
from pipeline.shards.index import ShardSummary, read_index, read_shards
from pipeline.shards.tar import IMAGE_SUFFIX

_PLACES = ("key", "shard", "offset", "size", "crc32", "members")


@dataclass(frozen=True)
class Fault:
    """Say what is wrong with a shard, or with one sample of it."""

    shard: str
    """File name."""
    key: str | None
    """Key of the sample; None where it is the whole tar."""
    reason: str
    """What is wrong, as the end of a sentence that begins with shard and key."""

    def __str__(self) -> str:
        """Return one line that names shard and key."""
        return f"{self.shard}{f' {self.key}' if self.key else ''}: {self.reason}"


def require_whole_shards(folder: Path, summaries: Iterable[ShardSummary]) -> None:
    """Raise `UserError` for the first tar that is gone or has another size; a look at names and sizes only."""
    for summary in summaries:
        if fault := _size_fault(folder, summary):
            raise UserError(f"{folder / summary.shard} {fault.reason}; restore it, or {WRITE_AGAIN}")


def require_first_image(folder: Path, row: Mapping[str, Any]) -> None:
    """Raise `UserError` unless a tar begins with the image its index says, and so is no other of the same size.

    Args:
        folder: Folder of the tars.
        row: First row of the tar in the index.
    """
    with (folder / row["shard"]).open("rb") as stream:
        stream.seek(row["offset"])
        found = zlib.crc32(stream.read(row["size"]))
    if found != row["crc32"]:
        raise UserError(
            f"{folder / row['shard']} does not begin with the image '{row['key']}' that its table says; {WRITE_AGAIN}"
        )


def find_faults(index: Path) -> list[Fault]:
    """Read every byte of the tars of an index and return what differs from it, in the order of the tars.

    What is compared: each member's crc32, the size and sha256 of each tar (which hold its headers and padding too),
    the number of samples, and which tars there are. Raises `UserError` where the index itself cannot be read.
    """
    summaries, rows = read_shards(index), read_index(index, _PLACES)
    return [
        *(fault for summary in summaries for fault in _shard_faults(index.parent, summary, rows)),
        *_strangers(index.parent, summaries),
    ]


def _shard_faults(folder: Path, summary: ShardSummary, table: pa.Table) -> Iterator[Fault]:
    rows = table.filter(pc.equal(table["shard"], summary.shard)).to_pylist()
    if len(rows) != summary.samples:
        yield Fault(summary.shard, None, f"holds {summary.samples} samples, of which the index lists {len(rows)}")
    size_fault = _size_fault(folder, summary)
    if size_fault:
        yield size_fault
    if (folder / summary.shard).is_file():
        yield from _content_faults(folder / summary.shard, summary, rows, bool(size_fault))


def _size_fault(folder: Path, summary: ShardSummary) -> Fault | None:
    try:
        size = (folder / summary.shard).stat().st_size
    except FileNotFoundError:
        return Fault(summary.shard, None, f"is gone; it had {summary.size:,} bytes")
    if size != summary.size:
        return Fault(summary.shard, None, f"has {size:,} bytes, and had {summary.size:,} when it was written")
    return None


def _content_faults(tar: Path, summary: ShardSummary, rows: Sequence[dict[str, Any]], explained: bool) -> list[Fault]:
    """Read a tar as a whole, once."""
    try:
        content = memoryview(tar.read_bytes())
    except OSError as error:
        return [Fault(summary.shard, None, f"cannot be read: {error.strerror}")]
    faults = [fault for row in rows if (fault := _sample_fault(content, row))]
    if hashlib.sha256(content).hexdigest() != summary.sha256 and not faults and not explained:
        faults.append(Fault(summary.shard, None, "differs from its sha256 outside the samples, in a header or padding"))
    return faults


def _sample_fault(content: memoryview, row: dict[str, Any]) -> Fault | None:
    """Compare each member of a sample with its checksum."""
    damaged = [
        member["name"]
        for member in [row | {"name": IMAGE_SUFFIX}, *row["members"]]
        if zlib.crc32(content[member["offset"] : member["offset"] + member["size"]]) != member["crc32"]
    ]
    return Fault(row["shard"], row["key"], f"damaged: {', '.join(damaged)}") if damaged else None


def _strangers(folder: Path, summaries: Sequence[ShardSummary]) -> Iterator[Fault]:
    known = {summary.shard for summary in summaries}
    for shard in sorted({tar.name for tar in folder.glob("*.tar")} - known):
        yield Fault(shard, None, "stands beside the index, which does not know it: delete it")

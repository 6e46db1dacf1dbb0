"""The index of a corpus's shards: where each member of each sample stands, and how to tell that it is whole."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records.errors import UserError
from pipeline.records.publish import publishing
from pipeline.shards.fingerprint import BITS

_MEMBER = pa.struct(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("crc32", pa.uint32(), nullable=False),
    ]
)

INDEX_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("crc32", pa.uint32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("patient", pa.string(), nullable=False),
        pa.field("study", pa.string(), nullable=False),
        pa.field("view", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("members", pa.list_(_MEMBER), nullable=False),
        pa.field("fingerprint", pa.binary(BITS // 8), nullable=False),
    ]
)
"""`offset` and `size` are bytes of the image inside the tar `shard`, `crc32` is of those bytes; `members` are the other
members of the sample, named by what follows the key; `fingerprint` is of the resized image before it was encoded."""

INDEX = "index.parquet"
"""File name of the index, beside the tars."""

PARTS = "parts"
"""Folder, beside the index, of the tables that it is merged from."""

_SHARDS = b"shards"
_SHARDS_DIGEST = b"shards_sha256"


@dataclass(frozen=True)
class ShardSummary:
    """Say what one tar must hold."""

    shard: str
    """File name, beside the index."""
    samples: int
    """Number of samples."""
    size: int
    """Bytes of the whole tar."""
    sha256: str
    """Digest of the whole tar."""


def write_index(path: Path, samples: pa.Table, shards: Sequence[ShardSummary]) -> None:
    """Publish the index, rows of `INDEX_SCHEMA`; the summaries of the shards travel in its metadata."""
    listed = json.dumps([asdict(shard) for shard in shards]).encode()
    metadata = {_SHARDS: listed, _SHARDS_DIGEST: hashlib.sha256(listed).hexdigest()}
    table = samples.cast(INDEX_SCHEMA).replace_schema_metadata(metadata)
    with publishing(path) as scratch:
        pq.write_table(table, scratch, compression="zstd", write_page_checksum=True)


def read_index(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read an index, or some of its columns, rows in shard order.

    Raises `UserError` naming the file where its bytes are damaged or it is no index.
    """
    names = list(INDEX_SCHEMA.names if columns is None else columns)
    with _reading(path) as file:
        table = file.read(names).select(names).replace_schema_metadata()
        if table.schema != pa.schema([INDEX_SCHEMA.field(name) for name in names]):
            raise ValueError("columns are of other types")
        if table.num_rows != sum(shard.samples for shard in _summaries(file)):
            raise ValueError("rows are not as many as the shards hold")
    return table


def read_shards(path: Path) -> list[ShardSummary]:
    """Read the summaries of the shards an index belongs to. Raises `UserError` as `read_index` does."""
    with _reading(path) as file:
        return _summaries(file)


def tables_of(folder: Path, shards: Set[str]) -> list[Path]:
    """Return the tables of parts, below a corpus's folder, that name some of its shards or cannot be read."""
    return [table for table in sorted((folder / PARTS).glob("*.parquet")) if _may_name(table, shards)]


def _may_name(table: Path, shards: Set[str]) -> bool:
    try:
        return any(shard.shard in shards for shard in read_shards(table))
    except UserError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno is not None:
            if isinstance(cause, FileNotFoundError):  # a job beside this one removed it
                return False
            raise
        return True


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[pq.ParquetFile]:
    """Open an index; whatever is wrong with what is read of it inside the block becomes a `UserError`."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there; run snakemake shards, then snakemake all") from error
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no whole index ({error}); delete it, run snakemake shards, then snakemake all"
        ) from error


def _summaries(file: pq.ParquetFile) -> list[ShardSummary]:
    """Return what the footer, which has no checksum of its own, says of the shards."""
    metadata = file.schema_arrow.metadata
    if hashlib.sha256(metadata[_SHARDS]).hexdigest().encode() != metadata[_SHARDS_DIGEST]:
        raise ValueError("the list of shards differs from its digest")
    return [ShardSummary(**shard) for shard in json.loads(metadata[_SHARDS])]

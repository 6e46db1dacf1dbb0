"""The index of a corpus's shards: where each sample's image stands, and how to tell that it is whole."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records.publish import publishing
from pipeline.shards.fingerprint import BITS

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
        pa.field("split", pa.string(), nullable=False),
        pa.field("fingerprint", pa.binary(BITS // 8), nullable=False),
    ]
)
"""`offset` and `size` are bytes of the image inside the tar `shard`, `crc32` is of those bytes; `fingerprint` is of
the resized image before it was encoded."""

_SHARDS = b"shards"


@dataclass(frozen=True)
class ShardSummary:
    """Say what one tar must hold."""

    shard: str
    """File name, beside the index."""
    samples: int
    """Number of samples."""
    sha256: str
    """Digest of the whole tar."""


def write_index(path: Path, samples: list[dict[str, object]], shards: list[ShardSummary]) -> None:
    """Publish the index; the summaries of the shards travel in its metadata."""
    metadata = {_SHARDS: json.dumps([asdict(shard) for shard in shards]).encode()}
    table = pa.Table.from_pylist(samples, schema=INDEX_SCHEMA).replace_schema_metadata(metadata)
    with publishing(path) as scratch:
        pq.write_table(table, scratch, compression="zstd")


def read_index(path: Path) -> pa.Table:
    """Read an index with the columns of `INDEX_SCHEMA`, rows in shard order."""
    return pq.read_table(path)


def read_shards(path: Path) -> list[ShardSummary]:
    """Read the summaries of the shards an index belongs to."""
    metadata = pq.read_schema(path).metadata
    return [ShardSummary(**shard) for shard in json.loads(metadata[_SHARDS])]

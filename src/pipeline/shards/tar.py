"""Write one shard: a tar any webdataset reader streams, equal bytes for equal samples."""

import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.records.digests import file_digest
from pipeline.records.publish import publishing
from pipeline.shards.index import INDEX_SCHEMA, ShardSummary

IMAGE_SUFFIX = "jpg"
"""What follows the key in the name of an image's member."""

_OWNER = "pipeline"

_Row = dict[str, Any]
"""Row of the index."""


@dataclass(frozen=True)
class Sample:
    """Hold one image and what belongs to it, ready to be written."""

    key: str
    patient: str
    study: str
    view: str
    split: str
    width: int
    """Pixels, as height."""
    height: int
    jpeg: bytes
    """The encoded gray image."""
    members: Mapping[str, bytes]
    """The other members, named by what follows the key: `json`, `mask.lungs.png`."""
    fingerprint: bytes
    """Of the image before it was encoded."""


def write_tar(path: Path, samples: Iterable[Sample]) -> tuple[pa.Table, ShardSummary]:
    """Publish a tar; return the samples' rows of the index, and what the whole tar must be.

    Samples are written as they come, and only their index rows are kept.
    """
    with publishing(path) as scratch:
        rows = _write_samples(scratch, samples)
        placed = _place(rows, path.name, _read_headers(scratch))
        summary = ShardSummary(path.name, len(placed), scratch.stat().st_size, file_digest(scratch))
    return pa.Table.from_pylist(placed, schema=INDEX_SCHEMA), summary


def _write_samples(path: Path, samples: Iterable[Sample]) -> list[_Row]:
    """Write the members of every sample; return the samples' rows without places in the tar."""
    # webdataset imports torch, which planning and dry-runs must not need.
    from webdataset.writer import TarWriter

    rows = []
    with (
        path.open("wb") as stream,
        TarWriter(stream, encoder=False, user=_OWNER, group=_OWNER, mode=0o444, mtime=0) as writer,
    ):
        for sample in samples:
            writer.write({"__key__": sample.key, IMAGE_SUFFIX: sample.jpeg, **sample.members})
            rows.append(_row_without_places(sample))
    return rows


def _row_without_places(sample: Sample) -> _Row:
    return {
        "key": sample.key,
        "crc32": zlib.crc32(sample.jpeg),
        "width": sample.width,
        "height": sample.height,
        "patient": sample.patient,
        "study": sample.study,
        "view": sample.view,
        "split": sample.split,
        "members": [{"name": name, "crc32": zlib.crc32(sample.members[name])} for name in sorted(sample.members)],
        "fingerprint": sample.fingerprint,
    }


def _read_headers(path: Path) -> dict[str, dict[str, int]]:
    """Return where each member of a tar stands; reading it back shows that others can."""
    with tarfile.open(path, "r:") as tar:
        return {member.name: {"offset": member.offset_data, "size": member.size} for member in tar}


def _place(rows: list[_Row], shard: str, places: Mapping[str, Mapping[str, int]]) -> list[_Row]:
    """Add to rows where the image and the other members stand in their shard."""
    return [
        row
        | {"shard": shard, **places[f"{row['key']}.{IMAGE_SUFFIX}"]}
        | {"members": [member | places[f"{row['key']}.{member['name']}"] for member in row["members"]]}
        for row in rows
    ]

"""Write one shard: a tar any webdataset reader streams, equal bytes for equal samples."""

import json
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.records.publish import publishing

IMAGE_SUFFIX = "jpg"
_OWNER = "pipeline"


@dataclass(frozen=True)
class Sample:
    """Hold one image and what is known of it, ready to be written."""

    key: str
    patient: str
    study: str
    split: str
    width: int
    height: int
    jpeg: bytes
    """The encoded gray image."""


def write_tar(path: Path, samples: Iterable[Sample]) -> list[dict[str, object]]:
    """Publish a tar with a `.jpg` and a `.json` member per sample; return the samples' index rows."""
    # webdataset imports torch, which planning and dry-runs must not need.
    from webdataset.writer import TarWriter

    described = {}
    with publishing(path) as scratch:
        with TarWriter(str(scratch), user=_OWNER, group=_OWNER, mtime=0) as writer:
            for sample in samples:
                writer.write({"__key__": sample.key, IMAGE_SUFFIX: sample.jpeg, "json": _description(sample)})
                described[f"{sample.key}.{IMAGE_SUFFIX}"] = sample
        with tarfile.open(scratch) as tar:
            members = [member for member in tar if member.name in described]
    return [_index_row(path.name, member, described[member.name]) for member in members]


def _description(sample: Sample) -> bytes:
    return json.dumps({"patient": sample.patient, "study": sample.study, "split": sample.split}).encode()


def _index_row(shard: str, member: tarfile.TarInfo, sample: Sample) -> dict[str, object]:
    return {
        "key": sample.key,
        "shard": shard,
        "offset": member.offset_data,
        "size": member.size,
        "crc32": zlib.crc32(sample.jpeg),
        "width": sample.width,
        "height": sample.height,
        "patient": sample.patient,
        "study": sample.study,
        "split": sample.split,
    }

"""Real radiographs, repeated to as many samples as an epoch needs: as shards, as files, as litdata's chunks."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from litdata import optimize  # type: ignore[import-untyped]

from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.fingerprint import fingerprint
from pipeline.shards.images import read_stored
from pipeline.shards.index import write_index
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.tar import Sample, write_tar

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"
CORPORA = ("hannover_cxr_labs", "kermany_pediatric_cxr", "nih_cxr14")
SAMPLES = 8192
SETTINGS = ShardSettings(image_size=256, jpeg_quality=95, samples_per_shard=1024)
CHUNK_BYTES = "64MB"  # litdata's own recommendation
SPLIT, VIEW = "train", "PA"


@dataclass(frozen=True)
class Cohort:
    """Hold the same samples in every form a loader reads."""

    keys: list[str]
    """All keys, ascending."""
    index: Path
    """Our index of the shards."""
    shards: list[str]
    """Paths of the tars."""
    files: Path
    """Folder of JPEG files, named by key."""
    chunks: Path
    """Folder that litdata wrote."""


def write_cohort(folder: Path) -> Cohort:
    """Write the samples in every form below a folder. Raises `UserError` where the real radiographs are absent."""
    samples = list(itertools.islice(repeat_radiographs(), SAMPLES))
    keys = [sample.key for sample in samples]
    files = write_files(folder / "files", samples)
    index = folder / "shards" / "index.parquet"
    return Cohort(keys, index, write_shards(index, samples), files, write_chunks(folder / "chunks", files, keys))


def repeat_radiographs() -> Iterator[Sample]:
    """Yield samples without end, each real radiograph under a new key in every turn."""
    if not REAL_DATA.is_dir():
        raise UserError(f"{REAL_DATA} does not exist; loaders are compared on the openly licensed radiographs there")
    paths = [path for corpus in CORPORA for path in sorted((REAL_DATA / corpus / "images").iterdir())]
    radiographs = [encode(path) for path in paths]
    for number, radiograph in enumerate(itertools.cycle(radiographs)):
        yield sample_of(f"{number:08d}", *radiograph)


def encode(path: Path) -> tuple[bytes, bytes, tuple[int, int]]:
    """Return a radiograph as shards hold it: JPEG, fingerprint, height and width."""
    image = read_stored(None, path, SETTINGS).pixels
    height, width = image.shape
    return encode_jpeg(image, SETTINGS.jpeg_quality), fingerprint(image), (height, width)


def sample_of(key: str, jpeg: bytes, bits: bytes, size: tuple[int, int]) -> Sample:
    """Return a sample that is a patient of its own."""
    label = json.dumps({"patient": key, "study": key, "split": SPLIT, "view": VIEW, "findings": {}}).encode()
    height, width = size
    return Sample(key, key, key, VIEW, SPLIT, width, height, jpeg, {"json": label}, bits)


def write_files(folder: Path, samples: list[Sample]) -> Path:
    """Write every image as a file."""
    folder.mkdir()
    for sample in samples:
        (folder / f"{sample.key}.jpg").write_bytes(sample.jpeg)
    return folder


def write_shards(index: Path, samples: list[Sample]) -> list[str]:
    """Write the tars and, beside them, their index; return the paths of the tars."""
    index.parent.mkdir()
    starts = range(0, len(samples), SETTINGS.samples_per_shard)
    parts = [samples[start : start + SETTINGS.samples_per_shard] for start in starts]
    written = [write_tar(index.parent / f"{SPLIT}-{number:06d}.tar", part) for number, part in enumerate(parts)]
    write_index(index, pa.concat_tables([table for table, _ in written]), [summary for _, summary in written])
    return [str(index.parent / summary.shard) for _, summary in written]


def write_chunks(folder: Path, files: Path, keys: list[str]) -> Path:
    """Write the samples as litdata's chunks."""
    # Forked, since litdata would otherwise make all processes to come be spawned, those of the other peers too.
    optimize(partial(read_file, files), keys, str(folder), chunk_bytes=CHUNK_BYTES, start_method="fork", verbose=False)
    return folder


def read_file(files: Path, key: str) -> dict[str, object]:
    """Return a sample as litdata stores it, its image as the JPEG's bytes."""
    return {"key": key, "image": (files / f"{key}.jpg").read_bytes()}

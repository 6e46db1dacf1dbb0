"""Stage of rule write_shards: every present image of a manifest, resized once, into tars and their index."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import polars as pl

from pipeline.manifests.schema import read_manifest
from pipeline.manifests.vocabulary import SPLITS
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.fingerprint import fingerprint
from pipeline.shards.gray import encode_jpeg, resize_short_side
from pipeline.shards.images import file_part, read_gray
from pipeline.shards.index import ShardSummary, write_index
from pipeline.shards.tar import Sample, write_tar
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN

log = logging.getLogger(__name__)

Digest = Callable[[Path], str]
"""Digest of a file, remembered so that an array of many images is not read for each of them."""

ImageRow = dict[str, str]
"""What the manifest says of one image; `sha256` is null where it was not hashed."""

_COLUMNS = ("key", "patient", "study", "split", "path", "sha256")


def write_shards(root: Path, settings: ShardSettings, manifest: Path, index: Path, threads: int) -> None:
    """Write a corpus's tars beside the index, then publish the index.

    A shard holds images of one split only, so no patient spans training and test shards; inside a
    split the order is that of the keys' hashes, so that a stream does not see patients in turn.

    Args:
        root: The folder that image paths are relative to.
        settings: How images are stored.
        manifest: Manifest of the corpus.
        index: Parquet file to publish.
        threads: Images decoded at a time.

    Raises:
        UserError: An image is missing, has changed or cannot be decoded, or there is no image at all.
    """
    images = read_manifest(manifest).filter((pl.col("file_state") == "present") & pl.col("path").is_not_null())
    if images.is_empty():
        raise UserError(f"{manifest} lists no present image; put the corpus's images where its settings say")
    for stale in index.parent.glob("*.tar"):
        stale.unlink()
    samples: list[dict[str, object]] = []
    shards: list[ShardSummary] = []
    prepare = partial(_prepare, root=root, settings=settings, digest=cache(file_digest))
    with ThreadPoolExecutor(threads) as pool:
        for name, rows in _plan(images, settings.samples_per_shard):
            tar = index.parent / name
            written = _write_tar(tar, pool.map(prepare, rows))
            samples += written
            shards.append(ShardSummary(name, len(written), file_digest(tar)))
            log.info("shard %s: %d samples", name, len(written))
    write_index(index, samples, shards)


def _plan(images: pl.DataFrame, samples_per_shard: int) -> Iterator[tuple[str, list[ImageRow]]]:
    """Yield each shard's file name and rows."""
    for split in SPLITS:
        rows = images.filter(pl.col("split") == split).select(*_COLUMNS).to_dicts()
        rows.sort(key=lambda row: hashlib.blake2b(row["key"].encode()).digest())
        for number, start in enumerate(range(0, len(rows), samples_per_shard)):
            yield f"{split}-{number:06d}.tar", rows[start : start + samples_per_shard]


def _write_tar(tar: Path, prepared: Iterable[tuple[Sample, bytes]]) -> list[dict[str, object]]:
    """Write samples as they come; return their index rows with their fingerprints."""
    fingerprints: dict[str, bytes] = {}

    def samples() -> Iterator[Sample]:
        for sample, mark in prepared:
            fingerprints[sample.key] = mark
            yield sample

    return [row | {"fingerprint": fingerprints[str(row["key"])]} for row in write_tar(tar, samples())]


def _prepare(row: ImageRow, root: Path, settings: ShardSettings, digest: Digest) -> tuple[Sample, bytes]:
    """Return what is stored of an image, and its fingerprint from before it is encoded."""
    path = root / row["path"]
    _require_unchanged(file_part(path), row["sha256"], digest)
    image = resize_short_side(read_gray(path), settings.image_size)
    height, width = image.shape
    sample = Sample(
        key=row["key"],
        patient=row["patient"],
        study=row["study"],
        split=row["split"],
        width=width,
        height=height,
        jpeg=encode_jpeg(image, settings.jpeg_quality),
    )
    return sample, fingerprint(image)


def _require_unchanged(file: Path, sha256: str | None, digest: Digest) -> None:
    """Raise `UserError` unless the file is what the inventory saw; one without a digest needs only to be there."""
    if not file.is_file():
        raise UserError(f"{file} has gone since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")
    if sha256 and digest(file) != sha256:
        raise UserError(f"{file} has changed since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")

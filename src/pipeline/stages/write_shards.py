"""Stage of rule write_shards: every present image of a manifest, resized once, into tars and their index."""

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from pipeline.manifests.schema import read_manifest
from pipeline.manifests.vocabulary import SPLITS
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings, Source
from pipeline.shards.images import encode_gray, read_gray, resize_short_side
from pipeline.shards.index import ShardSummary, write_index
from pipeline.shards.tar import Sample, write_tar
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN, raw_root

log = logging.getLogger(__name__)

ImageRow = dict[str, str]
"""What the manifest says of one image; `sha256` is null where it was not hashed."""

_COLUMNS = ("key", "patient", "study", "split", "path", "sha256")


def write_shards(
    source: Source, settings: ShardSettings, inventory: Path, manifest: Path, index: Path, threads: int
) -> None:
    """Write a corpus's tars beside the index, then publish the index.

    A shard holds images of one split only, so no patient spans training and test shards; inside a
    split the order is that of the keys' hashes, so that a stream does not see patients in turn.

    Args:
        source: Where the raw files come from.
        settings: How images are stored.
        inventory: Inventory of the raw files.
        manifest: Manifest of the corpus.
        index: Parquet file to publish.
        threads: Images decoded at a time.

    Raises:
        UserError: An image is missing, has changed or cannot be decoded, or there is no image at all.
    """
    images = read_manifest(manifest).filter(pl.col("file_state") == "present")
    if images.is_empty():
        raise UserError(f"{manifest} lists no present image; put the corpus's images where its settings say")
    root = raw_root(source, inventory)
    for stale in index.parent.glob("*.tar"):
        stale.unlink()
    samples: list[dict[str, object]] = []
    shards: list[ShardSummary] = []
    with ThreadPoolExecutor(threads) as pool:
        for name, rows in _plan(images, settings.samples_per_shard):
            tar = index.parent / name
            written = write_tar(tar, pool.map(lambda row: _sample(row, root, settings), rows))
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


def _sample(row: ImageRow, root: Path, settings: ShardSettings) -> Sample:
    path = root / row["path"]
    if not path.is_file():
        raise UserError(f"{path} has gone since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")
    if row["sha256"] and file_digest(path) != row["sha256"]:
        raise UserError(f"{path} has changed since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")
    image = resize_short_side(read_gray(path), settings.image_size)
    height, width = image.shape
    return Sample(
        key=row["key"],
        patient=row["patient"],
        study=row["study"],
        split=row["split"],
        width=width,
        height=height,
        jpeg=encode_gray(image, settings.jpeg_quality),
    )

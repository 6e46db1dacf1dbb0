"""Which images go into which tar, whoever writes them."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.manifests.vocabulary import EXCLUDED, SPLITS

_SHARD_NAME = re.compile(rf"(?P<split>{'|'.join(SPLITS)})-(?P<number>\d{{6,}})\.tar")


@dataclass(frozen=True)
class PlannedShard:
    """Say what one tar is to hold."""

    name: str
    """File name."""
    rows: pl.DataFrame
    """Rows of the manifest, in the order of the tar."""


def order_images(manifest: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose images go into shards, in the order in which these hold them.

    Images that are missing and rows that are excluded are left out. Splits follow one another, and inside a
    split the order is that of the keys' hashes, so that a stream does not see one patient's images in turn.
    """
    present = (pl.col("file_state") == "present") & pl.col("path").is_not_null() & (pl.col("split") != EXCLUDED)
    images = manifest.filter(present)
    hashes = [hashlib.blake2b(key.encode()).digest() for key in images["key"]]
    rank = pl.col("split").cast(pl.Enum((*SPLITS, EXCLUDED))).to_physical()
    return images.sort(rank, pl.Series("hash", hashes, pl.Binary))


def plan_shards(images: pl.DataFrame, samples_per_shard: int) -> list[PlannedShard]:
    """Cut ordered images into tars; each holds images of one split, so that no tar mixes what is trained and tested on.

    The last tar of a split may hold fewer than `samples_per_shard`.
    """
    return [
        PlannedShard(_shard_name(split, number), rows)
        for split in SPLITS
        for number, rows in enumerate(_slices(images.filter(pl.col("split") == split), samples_per_shard))
    ]


def take_part(plan: list[PlannedShard], part: int, parts: int) -> list[PlannedShard]:
    """Return the tars of one of several jobs: those whose place in the plan leaves the remainder `part` (from 0)."""
    return plan[part::parts]


def plan_place(shard: str) -> tuple[int, int]:
    """Return what shards are sorted by to stand as planned: their split, then their number.

    Raises `ValueError` where no plan gives that name.
    """
    match = _SHARD_NAME.fullmatch(shard)
    if not match:
        raise ValueError(f"no plan names a shard '{shard}'")
    return SPLITS.index(match["split"]), int(match["number"])


def _shard_name(split: str, number: int) -> str:
    return f"{split}-{number:06d}.tar"


def _slices(rows: pl.DataFrame, length: int) -> Iterator[pl.DataFrame]:
    yield from (rows.slice(start, length) for start in range(0, rows.height, length))

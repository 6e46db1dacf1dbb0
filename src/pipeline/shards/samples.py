"""One image of a manifest as the sample that a tar holds of it."""

import hashlib
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.settings.layouts.mimic_derived import FixationRule
from pipeline.shards.arrays import split_row
from pipeline.shards.companions.members import companion_members
from pipeline.shards.fingerprint import fingerprint
from pipeline.shards.images import read_stored
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.tar import Sample
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN, Trees

ManifestRow = dict[str, Any]
"""One row of the manifest."""

_ARRAY_ROW = r"\.npy#\d+$"


def prepare_sample(row: ManifestRow, trees: Trees, settings: ShardSettings, fixations: FixationRule) -> Sample:
    """Read an image file once, and return what is stored of the image and of what belongs to it.

    Args:
        row: Row of the manifest.
        trees: The folders that its paths are relative to.
        settings: What is stored.
        fixations: Which fixations of a reading make its gaze map.

    Raises:
        UserError: A file is missing, cannot be decoded or has changed since the inventory; of an array file, which
            holds many images, only `require_unchanged_arrays` finds that.
    """
    path = trees.images / row["path"]
    content = None if split_row(path)[1] is not None else _read_unchanged(path, row["sha256"])
    stored = read_stored(content, path, settings)
    height, width = stored.pixels.shape
    return Sample(
        key=row["key"],
        patient=row["patient"],
        study=row["study"],
        view=row["view"],
        split=row["split"],
        width=width,
        height=height,
        jpeg=encode_jpeg(stored.pixels, settings.jpeg_quality),
        members=companion_members(row, stored, settings, trees.own, fixations),
        fingerprint=fingerprint(stored.pixels),
    )


def require_unchanged_arrays(root: Path, images: pl.DataFrame) -> None:
    """Read each array file that rows of a manifest name once; raise `UserError` unless the inventory saw the same.

    Args:
        root: The folder that image paths are relative to.
        images: Rows of the manifest.
    """
    arrays = images.filter(pl.col("path").str.contains(_ARRAY_ROW))
    files = arrays.select(pl.col("path").str.replace(_ARRAY_ROW, ".npy"), "sha256").unique().sort("path", "sha256")
    for name, sha256 in files.iter_rows():
        _require_file(root / name)
        if sha256:
            _require_digest(root / name, file_digest(root / name), sha256)


def _read_unchanged(path: Path, sha256: str | None) -> bytes:
    """Return a file's bytes; one without a digest in the inventory needs only to be there."""
    _require_file(path)
    content = path.read_bytes()
    if sha256:
        _require_digest(path, hashlib.sha256(content).hexdigest(), sha256)
    return content


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path} has gone since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")


def _require_digest(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise UserError(f"{path} has changed since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")

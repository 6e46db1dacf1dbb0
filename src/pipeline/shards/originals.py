"""Raw files as the inventory saw them: what has changed since is stored by no one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN

_ARRAY_ROW = r"\.npy#\d+$"


@dataclass(frozen=True)
class Originals:
    """Find the files of a corpus's own folder: masks and fixations."""

    root: Path
    """The corpus's own folder."""
    digests: Mapping[str, str]
    """Sha256 by path relative to the folder; of files that were not hashed there is none."""

    @classmethod
    def of_inventory(cls, root: Path, inventory: Path) -> "Originals":
        """Return the files of a folder with the digests that its inventory has of them."""
        files = pl.scan_parquet(inventory).filter((pl.col("role") != "image") & pl.col("sha256").is_not_null())
        return cls(root, dict(files.select("path", "sha256").collect().iter_rows()))

    def find(self, path: str) -> Path:
        """Return where a file is. Raises `UserError` where its digest is known and it is gone or has another."""
        if path in self.digests:
            require_unchanged(self.root / path, self.digests[path])
        return self.root / path


def read_unchanged(path: Path, sha256: str | None) -> bytes:
    """Return a file's bytes; one without a digest needs only to be there. Raises `UserError` naming it otherwise."""
    _require_file(path)
    content = path.read_bytes()
    if sha256:
        _require_digest(path, hashlib.sha256(content).hexdigest(), sha256)
    return content


def require_unchanged(path: Path, sha256: str | None) -> None:
    """Raise `UserError` unless a file of any size is there and, where it has a digest, has this one."""
    _require_file(path)
    if sha256:
        _require_digest(path, file_digest(path), sha256)


def require_unchanged_arrays(root: Path, images: pl.DataFrame) -> None:
    """Read each array file that rows of a manifest name once; raise `UserError` unless the inventory saw the same.

    Args:
        root: The folder that image paths are relative to.
        images: Rows of the manifest.
    """
    arrays = images.filter(pl.col("path").str.contains(_ARRAY_ROW))
    files = arrays.select(pl.col("path").str.replace(_ARRAY_ROW, ".npy"), "sha256").unique().sort("path", "sha256")
    for name, sha256 in files.iter_rows():
        require_unchanged(root / name, sha256)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path} has gone since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")


def _require_digest(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise UserError(f"{path} has changed since the inventory was taken; restore it, or {TAKE_INVENTORY_AGAIN}")

"""The inventory: what a corpus folder really holds, file by file, against what its tables list."""

import hashlib
import os
from collections.abc import Mapping
from io import BytesIO
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

import polars as pl

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.publish import publishing
from pipeline.settings.corpora import InventorySettings
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.image_state import EMPTY, PRESENT, REJECTED, TRUNCATED, UNKNOWN_FORMAT, FileState, image_state
from pipeline.sources.locations import Trees

MISSING = "missing"
UNLISTED = "unlisted"
LEFT_OUT = "left_out"
UNREADABLE = (EMPTY, TRUNCATED, UNKNOWN_FORMAT, REJECTED)

INVENTORY_SCHEMA = pl.Schema(
    {
        "path": pl.String(),  # relative to the corpus folder; images to the folder of images
        "role": pl.Enum(("table", "image", "attachment")),
        "state": pl.Enum((PRESENT, MISSING, *UNREADABLE, UNLISTED, LEFT_OUT)),
        "reason": pl.String(),  # why the file is unreadable; null where it is not
        "bytes": pl.Int64(),  # null where the file is missing
        "sha256": pl.String(),  # null where the file is missing or was not hashed
    }
)

_THREADS = 8  # enough to hide the latency of network storage
_READ_AT_ONCE = 2**26  # bytes; an array of a whole corpus is hashed piece by piece
_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".npy")  # of attachments that are looked into, as images all are
_TAKE_OUT = "no table names them, so take them out of the folder"
_FETCH_AGAIN = "run snakemake with --forcerun fetch_corpus for the corpus they belong to"
_NOTHING_KNOWN: Mapping[str, str] = MappingProxyType({})


class _Listed(NamedTuple):
    root: Path
    path: str
    role: str
    digest: str | None
    """What is known of its bytes."""
    hashed: bool
    """Whether a digest that is not known is computed."""
    state: str | None = None
    """The state, where it is known without looking."""


def take_inventory(
    trees: Trees,
    corpus: RawCorpus,
    checksums: bool,
    known: Mapping[str, str] = _NOTHING_KNOWN,
    known_images: Mapping[str, str] = _NOTHING_KNOWN,
) -> pl.DataFrame:
    """List every table, image and attachment with its state, size and, where asked for, sha256.

    Args:
        trees: The corpus's folders.
        corpus: What its tables list.
        checksums: Whether images and attachments are hashed; tables always are.
        known: Digests that a verified download has computed, by path relative to `trees.own`; they are
            taken as they are, except those of tables, which a user may have edited since.
        known_images: The same for images, by path relative to `trees.images`.
    """
    listed = [
        *(_Listed(trees.own, path, "table", None, hashed=True) for path in corpus.tables),
        *(_Listed(trees.images, path, "image", known_images.get(path), checksums) for path in image_files(corpus.rows)),
        *(_Listed(trees.own, path, "attachment", known.get(path), checksums) for path in corpus.attachments),
        *(
            _Listed(trees.images, path, "image", known_images.get(path), checksums, state)
            for state, paths in ((UNLISTED, corpus.unlisted), (LEFT_OUT, corpus.left_out))
            for path in paths
        ),
    ]
    with ThreadPool(_THREADS) as pool:
        entries = pool.map(_entry, listed, chunksize=64)
    return pl.DataFrame(entries, schema=INVENTORY_SCHEMA, orient="row")


def image_files(rows: pl.DataFrame) -> pl.Series:
    """Return each file that holds images, once; of `file.npy#row` the part before the mark."""
    return rows["path"].drop_nulls().str.replace(r"#\d+$", "").unique(maintain_order=True)


def read_digests(inventory: Path) -> dict[str, str]:
    """Return the sha256 of each image of an inventory that has one, by path."""
    images = pl.read_parquet(inventory).filter((pl.col("role") == "image") & pl.col("sha256").is_not_null())
    return dict(images.select("path", "sha256").iter_rows())


def check_inventory(
    inventory: pl.DataFrame, name: str, trees: Trees, settings: InventorySettings, remedy: str = "restore them"
) -> None:
    """Raise `UserError` where more files are missing or unreadable than the settings allow.

    `remedy` says in the sentence what to do about it.
    """
    files = inventory.filter(pl.col("role") != "table")
    limits = {"allow_missing": [MISSING], "allow_unreadable": list(UNREADABLE), "allow_unlisted": [UNLISTED]}
    for setting, states in limits.items():
        bad = files.filter(pl.col("state").is_in(states))
        if bad.height > getattr(settings, setting):
            first = bad.row(0, named=True)
            borrowed = first["role"] == "image" and trees.images != trees.own
            path = (trees.images if first["role"] == "image" else trees.own) / first["path"]
            helps = _TAKE_OUT if setting == "allow_unlisted" else _FETCH_AGAIN if borrowed else remedy
            raise UserError(
                f"corpus {name}: {bad.height} of {files.height} files are {count_states(bad)}, "
                f"first {path}{_because(first['reason'])}; {helps}; or set corpora.{name}.inventory.{setting} "
                f"to {bad.height} to go on without them"
            )


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


def count_states(inventory: pl.DataFrame) -> str:
    """Return the counts by state as text, most frequent first."""
    counts = inventory["state"].value_counts(sort=True)
    return ", ".join(f"{state} ({count})" for state, count in counts.iter_rows())


def write_inventory(inventory: pl.DataFrame, path: Path) -> None:
    """Publish an inventory; equal trees give equal bytes."""
    with publishing(path) as scratch:
        inventory.write_parquet(scratch, compression="zstd", statistics=False)


def _entry(file: _Listed) -> tuple[str, str, str, str | None, int | None, str | None]:
    """Look at a file, opening it once, and return its row."""
    try:
        with (file.root / file.path).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            (state, reason), digest = _look(file, stream, size)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return file.path, file.role, MISSING, None, None, None
    return file.path, file.role, state, reason, size, digest


def _look(file: _Listed, stream: BinaryIO, size: int) -> tuple[FileState, str | None]:
    if file.digest is not None or not file.hashed:
        return _state(file, stream, size), file.digest
    if size > _READ_AT_ONCE:
        return _state(file, stream, size), file_digest(file.root / file.path)
    content = stream.read()
    return _state(file, BytesIO(content), size), hashlib.sha256(content).hexdigest()


def _state(file: _Listed, stream: BinaryIO, size: int) -> FileState:
    if file.state is not None:
        return FileState(file.state)
    if file.role == "image" or file.path.endswith(_IMAGE_ENDINGS):
        return image_state(stream, size)
    if file.role == "attachment" and size == 0:
        return FileState(EMPTY, "it has no bytes")
    return FileState(PRESENT)

"""The inventory: what a corpus folder really holds, file by file, against what its tables list."""

from pathlib import Path

import polars as pl

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.publish import publishing
from pipeline.settings.corpora import InventorySettings
from pipeline.sources.adapter import RawCorpus

PRESENT = "present"
MISSING = "missing"
EMPTY = "empty"
TRUNCATED = "truncated"
UNKNOWN_FORMAT = "unknown_format"
UNLISTED = "unlisted"
UNREADABLE = (EMPTY, TRUNCATED, UNKNOWN_FORMAT)

INVENTORY_SCHEMA = pl.Schema(
    {
        "path": pl.String(),  # relative to the corpus folder
        "role": pl.Enum(("table", "image")),
        "state": pl.Enum((PRESENT, MISSING, *UNREADABLE, UNLISTED)),
        "bytes": pl.Int64(),  # null where the file is missing
        "sha256": pl.String(),  # null where the file is missing or was not hashed
    }
)

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_TAIL_BYTES = 1024  # writers may pad after the end marker


def take_inventory(root: Path, corpus: RawCorpus, checksums: bool) -> pl.DataFrame:
    """List every table and image with its state, size and, where asked for, sha256."""
    tables = [_entry(root, path, "table", checksums=True) for path in corpus.tables]
    images = [_entry(root, path, "image", checksums) for path in corpus.rows["path"]]
    unlisted = [_entry(root, path, "image", checksums) | {"state": UNLISTED} for path in corpus.unlisted]
    return pl.DataFrame([*tables, *images, *unlisted], schema=INVENTORY_SCHEMA)


def check_inventory(inventory: pl.DataFrame, name: str, root: Path, settings: InventorySettings) -> None:
    """Raise `UserError` where more images are missing or unreadable than the settings allow."""
    images = inventory.filter(pl.col("role") == "image")
    for setting, states in {"allow_missing": [MISSING], "allow_unreadable": list(UNREADABLE)}.items():
        bad = images.filter(pl.col("state").is_in(states))
        if bad.height > getattr(settings, setting):
            raise UserError(
                f"corpus {name}: {bad.height} of {images.height} listed images are {count_states(bad)}, "
                f"first {root / bad['path'][0]}; restore them, or set corpora.{name}.inventory.{setting} "
                f"to {bad.height} to go on without them"
            )


def count_states(inventory: pl.DataFrame) -> str:
    """Return the counts by state as text, most frequent first."""
    counts = inventory["state"].value_counts(sort=True)
    return ", ".join(f"{state} ({count})" for state, count in counts.iter_rows())


def write_inventory(inventory: pl.DataFrame, path: Path) -> None:
    """Publish an inventory; equal trees give equal bytes."""
    with publishing(path) as scratch:
        inventory.write_parquet(scratch, compression="zstd", statistics=False)


def image_state(path: Path) -> str:
    """Tell from a file's first and last bytes whether it can be a whole image.

    JPEG and PNG files carry an end marker, so a download cut short shows without decoding.
    """
    size = path.stat().st_size
    if size == 0:
        return EMPTY
    with path.open("rb") as stream:
        head = stream.read(len(_PNG_START))
        stream.seek(max(0, size - _TAIL_BYTES))
        tail = stream.read()
    for start, end in ((_JPEG_START, _JPEG_END), (_PNG_START, _PNG_END)):
        if head.startswith(start):
            return PRESENT if end in tail else TRUNCATED
    return UNKNOWN_FORMAT


def _entry(root: Path, relative: str, role: str, checksums: bool) -> dict[str, str | int | None]:
    path = root / relative
    entry: dict[str, str | int | None] = {"path": relative, "role": role, "bytes": None, "sha256": None}
    if not path.is_file():
        return entry | {"state": MISSING}
    state = image_state(path) if role == "image" else PRESENT
    digest = file_digest(path) if checksums else None
    return entry | {"state": state, "bytes": path.stat().st_size, "sha256": digest}

"""Atomic publication: a reader sees the whole file or none of it."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


_SCRATCH = ".tmp"


@contextlib.contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Yield a scratch path in the same folder; on success it becomes `path`, on an exception it vanishes.

    The scratch file is flushed to disk before it is renamed, and the folder after, so that a power
    cut leaves either the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}{_SCRATCH}")
    try:
        yield scratch
        flush_to_disk(scratch)
        scratch.replace(path)
        flush_to_disk(path.parent)
    finally:
        scratch.unlink(missing_ok=True)


def publish_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with publishing(path) as scratch:
        scratch.write_bytes(content)


def publish_text(path: Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8."""
    publish_bytes(path, content.encode())


def publish_json(path: Path, content: Any) -> None:
    """Write `content` to `path` atomically as indented JSON that a diff can be read of."""
    publish_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def clear_scratch(folder: Path) -> None:
    """Delete what killed processes left half written in a folder; nothing else may publish to it meanwhile."""
    for scratch in folder.glob(f".*{_SCRATCH}"):
        scratch.unlink()


def flush_to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, would outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

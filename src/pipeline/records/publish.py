"""Atomic publication: a reader sees the whole file or none of it."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.records.errors import UserError

_SCRATCH = ".tmp"
_MENDING = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room within your quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "make its file system writable",
    errno.EACCES: "make it and its folder writable",
    errno.EPERM: "make it and its folder writable",
}
"""What to do about each reason for which a disk refuses to be written to."""


class UnwritableError(UserError):
    """Name what cannot be written, why, and what to do."""

    def __init__(self, sentence: str, reason: str = "") -> None:
        """Hold the sentence, and the system's words in it apart; pools of processes rebuild it from the sentence."""
        super().__init__(sentence)
        self.reason = reason


@contextlib.contextmanager
def explaining_refusals(path: Path) -> Iterator[None]:
    """Raise `UnwritableError` where the disk refuses what the block writes to `path`, or creates above it.

    Refused is what is beyond room, quota or the largest file, and what is read-only or not permitted. Errors of other
    kinds, and of other files that the block opens, are passed on as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _MENDING and _concerns(error, path):
            reason, mending = os.strerror(error.errno), _MENDING[error.errno]
            raise UnwritableError(f"{path} cannot be written ({reason}); {mending} and run again", reason) from error
        raise


@contextlib.contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Yield a scratch path in the same folder; on success it becomes `path`, on an exception it vanishes.

    The scratch file is flushed to disk before it is renamed, and the folder after, so that a power
    cut leaves either the old file or the new one. Raises `UnwritableError` where the disk refuses it.
    """
    with explaining_refusals(path):
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


def _concerns(error: OSError, path: Path) -> bool:
    """Tell whether an error is of a path, its scratch file or a folder above; a stream that is open has no name."""
    if not isinstance(error.filename, str | os.PathLike):
        return True
    named = Path(error.filename)
    return named == path or named in path.parents or named.name.startswith(f".{path.name}.")

"""The journal of verified files: what is never fetched again, and not hashed again while it is unchanged."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import NamedTuple

STATE_FOLDER = ".download"
"""The downloader's own folder inside a corpus folder."""

JOURNAL = "verified.jsonl"
"""The journal's name in the folder of a publication."""


class Verified(NamedTuple):
    """Record that a file had a sha256 when it had this size and time of change."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    def describes(self, status: os.stat_result) -> bool:
        """Tell whether the file is unchanged since."""
        return (self.size, self.mtime_ns) == (status.st_size, status.st_mtime_ns)


class Journal:
    """Append verified files to a JSONL file, one line each.

    A line outlives a kill of the process. It need not outlive a power cut, after which the file is
    only hashed again, so lines are not forced to disk one by one.
    """

    def __init__(self, path: Path) -> None:
        """Read the journal; a last line that a kill cut short is removed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        self.path = path
        self._entries = {entry.path: entry for entry in read_journal(path)}
        self._stream = path.open("a", encoding="utf-8")
        self._lock = Lock()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()

    def digest(self, path: str, status: os.stat_result) -> str | None:
        """Return the sha256 of a file that is unchanged since it was verified; None of any other."""
        entry = self._entries.get(path)
        return entry.sha256 if entry and entry.describes(status) else None

    def add(self, path: str, status: os.stat_result, sha256: str) -> None:
        """Record that a file of this status has this sha256."""
        entry = Verified(path, status.st_size, status.st_mtime_ns, sha256)
        with self._lock:
            self._entries[path] = entry
            self._stream.write(json.dumps(entry._asdict()) + "\n")
            self._stream.flush()


def verified_digests(root: Path) -> dict[str, str]:
    """Return the sha256 of every file below `root` that is unchanged since a download verified it, by path."""
    return _unchanged_digests(root, _journals(root))


def digests_of_others(root: Path, own: Journal) -> dict[str, str]:
    """Return the sha256 of the unchanged files that other publications brought to the same folder, by path."""
    return _unchanged_digests(root, (path for path in _journals(root) if path != own.path))


def read_journal(path: Path) -> Iterator[Verified]:
    """Yield a journal's entries, oldest first; what is no entry, as a power cut may leave it, is left out."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        for line in stream:
            try:
                yield Verified(**json.loads(line))
            except (ValueError, TypeError):
                continue


def file_status(path: Path) -> os.stat_result | None:
    """Return the status of a file; None where there is no such file."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _journals(root: Path) -> list[Path]:
    return sorted(root.glob(f"{STATE_FOLDER}/*/{JOURNAL}"))


def _unchanged_digests(root: Path, journals: Iterable[Path]) -> dict[str, str]:
    entries = (entry for path in journals for entry in read_journal(path))
    statuses = ((entry, file_status(root / entry.path)) for entry in entries)
    return {entry.path: entry.sha256 for entry, status in statuses if status and entry.describes(status)}

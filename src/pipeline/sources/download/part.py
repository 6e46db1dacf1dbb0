"""The part of a file that has come so far, kept beside its target."""

import hashlib
import os
from http.client import HTTPResponse
from io import BufferedWriter
from pathlib import Path
from types import TracebackType

from pipeline.records.publish import flush_to_disk
from pipeline.sources.download.checksums import PART_SUFFIXES


class Part:
    """Grow a file beside its target, hashing as it grows; whoever is killed meanwhile goes on with what is there.

    Beside the part stands the tag of the version that it is a part of, written before the first byte.
    """

    def __init__(self, target: Path) -> None:
        """Take up the part of an earlier run; one without a whole tag is of no known version and is dropped."""
        self._target = target
        self._path, self._tag_path = (target.with_name(target.name + suffix) for suffix in PART_SUFFIXES)
        self._stream: BufferedWriter | None = None
        self._hash, self.size = hashlib.sha256(), 0
        tag = self._tag_path.read_text() if self._tag_path.is_file() else ""
        if tag.endswith("\n") and self._path.is_file():
            self._tag = tag.removesuffix("\n")
            self._hash_what_is_there()
        else:
            self.discard()

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    @property
    def sha256(self) -> str:
        """Return the digest of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def range_headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest, or for the whole file if it is another one by now."""
        if self.size == 0:
            return {}
        return {"Range": f"bytes={self.size}-"} | ({"If-Range": self._tag} if self._tag else {})

    def append(self, block: bytes) -> None:
        """Add bytes."""
        if self._stream is None:
            self._stream = self._path.open("ab")
        self._stream.write(block)
        self._hash.update(block)
        self.size += len(block)

    def start(self, tag: str) -> None:
        """Begin anew with a version of the file; its tag may be empty where the server gives none."""
        self.discard()
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._tag_path.write_text(f"{tag}\n")
        self._tag = tag

    def discard(self) -> None:
        """Delete what has come so far."""
        self._close()
        discard_part(self._target)
        self._hash, self.size, self._tag = hashlib.sha256(), 0, ""

    def publish(self) -> None:
        """Make the part the file: on disk first, then under its name, then forget the tag."""
        self._close()
        self._target.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as stream:
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        self._path.replace(self._target)
        flush_to_disk(self._target.parent)
        self._tag_path.unlink(missing_ok=True)

    def _hash_what_is_there(self) -> None:
        with self._path.open("rb") as stream:
            while block := stream.read(1 << 20):
                self._hash.update(block)
                self.size += len(block)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def discard_part(target: Path) -> None:
    """Delete what an earlier run left of a file's part; the bytes go before the tag that tells their version."""
    for suffix in PART_SUFFIXES:
        target.with_name(target.name + suffix).unlink(missing_ok=True)


def version_tag(response: HTTPResponse) -> str:
    """Return what tells this version of a file from another: its strong ETag, else its date, else nothing."""
    etag, date = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    tag = etag if etag.startswith('"') else date
    return tag if tag.isprintable() else ""

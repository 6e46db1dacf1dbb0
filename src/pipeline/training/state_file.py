"""One state on disk: the file that torch writes, and beside it a receipt that says what its bytes are."""

import hashlib
from pathlib import Path
from typing import IO, Any

import torch
from pydantic import BaseModel, ConfigDict
from torch.utils.serialization import config as serialization

from pipeline.records.publish import publish_json, publishing


class DamagedStateError(Exception):
    """Say what is wrong with a state that is not as it was written."""


class _Receipt(BaseModel):
    """State what a file of a state held when it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    sha256: str
    bytes: int


def receipt_path(path: Path) -> Path:
    """Return where the receipt of a state lies."""
    return path.with_suffix(".json")


def write_state(path: Path, step: int, state: dict[str, Any]) -> None:
    """Publish a state, then its receipt, each with all its bytes on disk before it has its name.

    A process that dies in between leaves the state without receipt, which is never read. Raises `UnwritableError`
    where the disk is full, over quota or read-only, and `OSError` where something else ails it.
    """
    with publishing(path) as scratch, scratch.open("wb") as stream:
        written = _DigestedStream(stream)
        # Its own checksum says nothing that the digest does not, and is computed under the interpreter lock.
        with serialization.patch("save.compute_crc32", False):  # type: ignore[attr-defined]
            torch.save(state, written)  # type: ignore[arg-type]
        written.raise_failure()
    receipt = _Receipt(step=step, sha256=written.digest.hexdigest(), bytes=written.bytes)
    publish_json(receipt_path(path), receipt.model_dump())


def read_state(path: Path) -> dict[str, Any]:
    """Return a state, its tensors on the CPU. Raises `DamagedStateError` where it is not what its receipt says."""
    with _whole(path) as stream:
        state: dict[str, Any] = torch.load(stream, map_location="cpu", weights_only=True)
    return state


def is_complete(path: Path) -> bool:
    """Tell whether a state has a receipt and the size that it says; its bytes are not read."""
    try:
        return path.stat().st_size == _read_receipt(path).bytes
    except (OSError, DamagedStateError):
        return False


def _whole(path: Path) -> IO[bytes]:
    """Open a state and compare its bytes with its receipt: those of the open file, whatever has its name later."""
    receipt = _read_receipt(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DamagedStateError(f"cannot be opened ({error.strerror})") from error
    try:
        _verify(stream, receipt)
    except BaseException:
        stream.close()
        raise
    return stream


def _read_receipt(path: Path) -> _Receipt:
    try:
        return _Receipt.model_validate_json(receipt_path(path).read_bytes())
    except OSError as error:
        raise DamagedStateError(f"has no receipt, as when a kill ended its writing ({error.strerror})") from error
    except ValueError as error:
        raise DamagedStateError("has a damaged receipt") from error


def _verify(stream: IO[bytes], receipt: _Receipt) -> None:
    try:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        raise DamagedStateError(f"cannot be read ({error.strerror})") from error
    if stream.tell() != receipt.bytes:
        raise DamagedStateError(f"has {stream.tell():,} bytes, but was written with {receipt.bytes:,}")
    if digest != receipt.sha256:
        raise DamagedStateError("does not hold the bytes that were written")
    stream.seek(0)


class _DigestedStream:
    """Digest what torch writes on its way to the file, so that nothing is read again.

    torch passes a view of each tensor's memory, one after the other, and both the digest and the file release the
    interpreter lock meanwhile; given a file's name, torch would hold it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self.bytes = 0
        self._stream = stream
        self._failure: OSError | None = None

    def write(self, piece: memoryview) -> int:
        """Write a piece, unless one before it failed: torch turns exceptions of a stream into some of its own."""
        if self._failure is None:
            try:
                self.digest.update(piece)
                self._stream.write(piece)
            except OSError as error:
                self._failure = error
        self.bytes += len(piece)
        return len(piece)

    def flush(self) -> None:
        """Pass on what is still buffered."""
        self.write(memoryview(b""))

    def raise_failure(self) -> None:
        """Raise the `OSError` of the first piece that could not be written, where there was one."""
        if self._failure is not None:
            raise self._failure

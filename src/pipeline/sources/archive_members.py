"""The members of .zip and .tar archives, one after the other, as plain files or not at all."""

import contextlib
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pipeline.records.errors import UserError
from pipeline.sources.tables import require_file

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LONGEST_NAME = 255  # bytes in one component of a path, on every common file system
BLOCK = tarfile.BLOCKSIZE

_DRIVE = re.compile(r"^[A-Za-z]:")
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    OverflowError,
    NotImplementedError,
)


@dataclass(frozen=True)
class Member:
    """Hold one regular file of an archive; read it before the next one is asked for."""

    path: PurePosixPath
    """Relative, without `..`."""
    size: int
    """Bytes that the archive declares."""
    read: Callable[[int], bytes]
    """Return at most that many of the next bytes, none at the end; raises `UserError` where they are damaged."""


def read_members(archive: Path) -> Iterator[Member]:
    """Yield the files of an archive in order; folders are left out.

    Raises `UserError`, naming archive and member, where the archive is damaged or of an unknown kind, or where a
    member is not a plain file inside the folder it is unpacked to.
    """
    if archive.name.lower().endswith(".zip"):
        read = _zip_members
    elif archive.name.lower().endswith(TAR_ENDINGS):
        read = _tar_members
    else:
        raise UserError(f"{archive} does not end in .zip, {', '.join(TAR_ENDINGS)}; unpack it yourself")
    require_file(archive)
    with _legible(archive):
        yield from read(archive)


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            # zipfile cuts `filename` at a zero byte; `orig_filename` shows it.
            path = _safe_path(archive, entry.orig_filename)
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if entry.flag_bits & 0x1:
                raise _refusal(archive, entry.orig_filename, "is encrypted")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refusal(archive, entry.orig_filename, "is a link or a device, not a file")
            if not entry.filename.endswith("/"):
                with file.open(entry) as stream:
                    yield _member(archive, path, entry.file_size, stream)


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive, "r:*") as file:
        for entry in file:
            path = _safe_path(archive, entry.name)
            if not (entry.isreg() or entry.isdir()):
                raise _refusal(archive, entry.name, "is a link or a device, not a file")
            if entry.issparse():
                raise _refusal(archive, entry.name, "is a sparse file")
            if entry.isreg() and (stream := file.extractfile(entry)):
                yield _member(archive, path, entry.size, stream)
        _check_end(archive, file)


def _check_end(archive: Path, file: tarfile.TarFile) -> None:
    """Raise unless zeros, and only zeros, follow the last member: tarfile takes any bad header for the end."""
    stream = cast(IO[bytes], file.fileobj)
    stream.seek(file.offset)
    blocks = 0
    while rest := stream.read(64 * BLOCK):
        blocks += len(rest) // BLOCK
        if rest.strip(b"\0"):
            raise UserError(f"{archive} holds damaged or unreachable data after its last member; download it again")
    if not blocks:
        raise EOFError("the end mark is missing")


def _member(archive: Path, path: PurePosixPath, size: int, stream: IO[bytes]) -> Member:
    if not path.parts:
        raise _refusal(archive, "", "has no name")

    def read(count: int) -> bytes:
        with _legible(archive, path):
            return stream.read(count)

    return Member(path, size, read)


def _safe_path(archive: Path, name: str) -> PurePosixPath:
    """Return the member's path; raises `UserError` where it could lead anywhere but below the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or _DRIVE.match(name):
        raise _refusal(archive, name, "has an absolute path")
    if "\\" in name or "\0" in name:
        raise _refusal(archive, name, "has a backslash or a zero byte in its name")
    if ".." in path.parts:
        raise _refusal(archive, name, "leads out of the folder by '..'")
    if any(len(part.encode(errors="surrogateescape")) > LONGEST_NAME for part in path.parts):
        raise _refusal(archive, name, f"has a name of more than {LONGEST_NAME} bytes")
    return path


def _refusal(archive: Path, name: str, what: str) -> UserError:
    return UserError(f"{archive}: member {name!r} {what}; download it again from its publisher")


@contextlib.contextmanager
def _legible(archive: Path, path: PurePosixPath | None = None) -> Iterator[None]:
    """Turn what the readers raise on damaged bytes into one sentence."""
    try:
        yield
    except _DAMAGE as error:
        place = f" at member '{path}'" if path else ""
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{archive} is cut short or damaged{place}: {reason[0]}; download it again") from error

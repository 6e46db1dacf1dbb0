"""Unpack publishers' archives member by member, trusting nothing that they say."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.sources.archive_members import Member, read_members

FILE_MODE = 0o644
BLOCK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path, limit: int | None = None) -> None:
    """Put the files of a .zip or .tar archive, compressed or not, into `folder`.

    The files grow under a hidden folder inside `folder` and are renamed one by one when all of them are whole,
    so a run that is refused or killed leaves no new or half file under a final name. Files that are there already
    with equal bytes are left as they are. Empty folders of the archive are not made.

    Args:
        archive: File whose name ends in .zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz.
        folder: Where the members go; made where it does not exist.
        limit: Most bytes that all members together may take; None stands for what the disk has free.

    Raises:
        UserError: The archive is cut short or damaged; a member has a name that leads out of the folder, is a link,
            a device, sparse or encrypted, stands twice, or holds another number of bytes than it declares; or the
            members exceed the limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(folder).free if limit is None else limit
    with _staging_folder(folder, archive) as staging:
        staged: dict[PurePosixPath, Path] = {}
        for member in read_members(archive):
            room -= member.size
            path = member.path
            _check_place(archive, path, staged, staging.name)
            if room < 0:
                raise UserError(
                    f"{archive}: member '{path}' needs {-room} bytes more than there is room for; "
                    "make room, or download the archive again if it should be smaller"
                )
            staged[path] = staging / str(len(staged))
            _write(archive, member, staged[path])
        _check_folders(archive, staged)
        _publish(archive, folder, staged)


@contextlib.contextmanager
def _staging_folder(folder: Path, archive: Path) -> Iterator[Path]:
    """Yield an empty hidden folder on the same disk, and remove it afterwards; what a killed run left goes first."""
    staging = folder / f".{archive.name}.partial"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_place(archive: Path, path: PurePosixPath, staged: dict[PurePosixPath, Path], reserved: str) -> None:
    """Raise `UserError` where another member stands at the path, or where the unpacking itself needs it."""
    if path in staged:
        raise UserError(f"{archive}: member '{path}' stands in it twice; download it again from its publisher")
    if path.parts[0] == reserved:
        raise UserError(f"{archive}: member '{path}' has a name that is needed to unpack it; rename the archive")


def _check_folders(archive: Path, staged: dict[PurePosixPath, Path]) -> None:
    """Raise `UserError` where one member is a file and the folder of another."""
    folders = {parent for path in staged for parent in path.parents}
    for path in sorted(folders & staged.keys()):
        raise UserError(f"{archive}: member '{path}' is a file and a folder; download it again from its publisher")


def _write(archive: Path, member: Member, staged: Path) -> None:
    """Write one member and flush it to disk."""
    written = 0
    with staged.open("xb") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        # The readers of both formats stop at the declared size, so a member cannot outgrow it.
        while block := member.read(BLOCK_BYTES):
            written += file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if written != member.size:
        raise UserError(
            f"{archive}: member '{member.path}' holds {written} bytes, not the {member.size} that it declares; "
            "download it again from its publisher"
        )


def _publish(archive: Path, folder: Path, staged: dict[PurePosixPath, Path]) -> None:
    """Rename whole files into place, leaving those that are there already with equal bytes."""
    for path, source in staged.items():
        target = folder / path
        if _equal(source, target):
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UserError(
                f"{archive}: member '{path}' cannot be placed, since {error.filename2 or error.filename} is in its "
                "way; unpack it into an empty folder"
            ) from error
    for parent in sorted({(folder / path).parent for path in staged}):
        _flush(parent)


def _equal(source: Path, target: Path) -> bool:
    if not target.is_file() or target.stat().st_size != source.stat().st_size:
        return False
    return file_digest(source) == file_digest(target)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

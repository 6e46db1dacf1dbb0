"""Unpack publishers' archives member by member, trusting nothing that they say."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.publish import flush_to_disk
from pipeline.sources.archive_members import Member, read_members

FILE_MODE = 0o644
BLOCK_BYTES = 1 << 20


class _Staged(NamedTuple):
    """Hold a member that is whole but not in place yet."""

    file: Path
    sha256: str


def unpack(
    archive: Path,
    folder: Path,
    limit: int | None = None,
    reserved: Collection[PurePosixPath] = (),
    replaced: Collection[PurePosixPath] = (),
) -> dict[PurePosixPath, str]:
    """Put the files of a .zip or .tar archive, compressed or not, into `folder`.

    The files grow under a hidden folder inside `folder` and are renamed one by one when all of them are whole,
    so a run that is refused or killed while it writes leaves no new or half file under a final name. Files that are
    there already with equal bytes are left as they are; those with other bytes are replaced only where `replaced`
    names them, and refused else, before any member is in place. Empty folders of the archive are not made.

    Args:
        archive: File whose name ends in .zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz.
        folder: Where the members go; made where it does not exist.
        limit: Most bytes that all members together may take; None stands for what the disk has free.
        reserved: Places, relative to `folder`, that no member may take nor stand below; the archive's own is one.
        replaced: Places, relative to `folder`, whose files came from this archive and yield to it, whatever they hold.

    Returns:
        The sha256 of every member, by its path relative to `folder`.

    Raises:
        UserError: The archive is cut short or damaged; a member has a name that leads out of the folder, is a link,
            a device, sparse or encrypted, stands twice, takes the place of another file, or holds another number of
            bytes than it declares; or the members exceed the limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(folder).free if limit is None else limit
    with _staging_folder(folder, archive) as staging:
        staged: dict[PurePosixPath, _Staged] = {}
        for member in read_members(archive):
            room -= member.size
            path = member.path
            _check_place(archive, path, staged, staging.name)
            _check_reserved(archive, folder, path, reserved)
            if room < 0:
                raise UserError(
                    f"{archive}: member '{path}' needs {-room} bytes more than there is room for; "
                    "make room, or download the archive again if it should be smaller"
                )
            staged[path] = _write(archive, member, staging / str(len(staged)))
        _check_folders(archive, staged)
        _publish(archive, folder, _differing(archive, folder, staged, replaced))
        for parent in sorted({(folder / path).parent for path in staged}):
            flush_to_disk(parent)
    return {path: whole.sha256 for path, whole in staged.items()}


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


def _check_place(archive: Path, path: PurePosixPath, staged: Mapping[PurePosixPath, _Staged], scratch: str) -> None:
    """Raise `UserError` where another member stands at the path, or where the unpacking itself needs it."""
    if path in staged:
        raise UserError(f"{archive}: member '{path}' stands in it twice; download it again from its publisher")
    if path.parts[0] == scratch:
        raise UserError(f"{archive}: member '{path}' has a name that is needed to unpack it; rename the archive")


def _check_reserved(archive: Path, folder: Path, path: PurePosixPath, reserved: Collection[PurePosixPath]) -> None:
    """Raise `UserError` where a member would take the place of the archive, or a reserved one."""
    places = (path, *path.parents)
    if any(place in reserved or folder / place == archive for place in places):
        raise UserError(
            f"{archive}: member '{path}' would take the place of the archive, of a downloaded file or of the "
            "downloader's records; unpack it by hand elsewhere, and tell its publisher"
        )


def _check_folders(archive: Path, staged: Mapping[PurePosixPath, _Staged]) -> None:
    """Raise `UserError` where one member is a file and the folder of another."""
    folders = {parent for path in staged for parent in path.parents}
    for path in sorted(folders & staged.keys()):
        raise UserError(f"{archive}: member '{path}' is a file and a folder; download it again from its publisher")


def _write(archive: Path, member: Member, scratch: Path) -> _Staged:
    """Write one member, hashing it meanwhile, and flush it to disk."""
    written, digest = 0, hashlib.sha256()
    with scratch.open("xb") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        # The readers of both formats stop at the declared size, so a member cannot outgrow it.
        while block := member.read(BLOCK_BYTES):
            written += file.write(block)
            digest.update(block)
        file.flush()
        os.fsync(file.fileno())
    if written != member.size:
        raise UserError(
            f"{archive}: member '{member.path}' holds {written} bytes, not the {member.size} that it declares; "
            "download it again from its publisher"
        )
    return _Staged(scratch, digest.hexdigest())


def _differing(
    archive: Path, folder: Path, staged: Mapping[PurePosixPath, _Staged], replaced: Collection[PurePosixPath]
) -> dict[PurePosixPath, Path]:
    """Return the members that are not in place yet; raises `UserError` where one would replace somebody else's file."""
    differing: dict[PurePosixPath, Path] = {}
    for path, whole in staged.items():
        target = folder / path
        if target.is_file():
            if target.stat().st_size == whole.file.stat().st_size and file_digest(target) == whole.sha256:
                continue
            if path not in replaced:
                raise UserError(
                    f"{archive}: member '{path}' differs from the file that is there, which is not known to have come "
                    "from this archive; move that file away"
                )
        differing[path] = whole.file
    return differing


def _publish(archive: Path, folder: Path, members: Mapping[PurePosixPath, Path]) -> None:
    """Rename whole files into place."""
    for path, source in members.items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UserError(
                f"{archive}: member '{path}' cannot be placed, since {error.filename2 or error.filename} is in its "
                "way; unpack it into an empty folder"
            ) from error

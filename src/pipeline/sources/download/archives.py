"""Unpack the archives of a publication after they are verified, and again where what came from one is broken."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.records.digests import file_digest
from pipeline.records.publish import publish_text
from pipeline.sources.download.checksums import Listed
from pipeline.sources.download.journal import STATE_FOLDER, Journal, file_status
from pipeline.sources.download.selection import glob_pattern

log = logging.getLogger("pipeline.sources.download")


class Unpacked(NamedTuple):
    """Record that an archive of this sha256 was unpacked to the last member."""

    sha256: str
    members: Mapping[str, str]
    """The sha256 of every member by its path in the corpus folder."""


def unpack_archives(files: Sequence[Listed], globs: Sequence[str], root: Path, journal: Journal) -> None:
    """Unpack, beside themselves, those of the verified files that a glob matches.

    An archive is left alone where an earlier run unpacked this version of it and every member is as it was then.
    Else its members replace what the record says came from it, and no other file; they enter the journal as
    verified. Raises `UserError` where an archive is damaged, or its members lead out of the folder, or onto a file
    that is not theirs.
    """
    patterns = [glob_pattern(glob) for glob in globs]
    archives = [file for file in files if any(pattern.fullmatch(file.path) for pattern in patterns)]
    for number, file in enumerate(archives, start=1):
        path = journal.path.parent / "unpacked" / f"{file.path}.json"
        record = _read_record(path)
        if record.sha256 == file.sha256 and _members_are_sound(record, root, journal):
            continue
        log.info("unpacking archive %d of %d", number, len(archives))
        members = _unpack(file, files, record, root)
        for member, sha256 in members.items():
            journal.add(member, (root / member).stat(), sha256)
        # Written last: an archive without its record is unpacked again.
        publish_text(path, json.dumps(Unpacked(file.sha256, members)._asdict(), indent=2) + "\n")


def _read_record(path: Path) -> Unpacked:
    """Return what is known of an archive's last unpacking; no sha256 and no members where nothing is."""
    try:
        return Unpacked(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return Unpacked("", {})


def _members_are_sound(record: Unpacked, root: Path, journal: Journal) -> bool:
    """Tell whether all members are there with their bytes; only what changed since it was verified is hashed."""
    for path, sha256 in record.members.items():
        status = file_status(root / path)
        if status is None:
            return False
        if journal.digest(path, status) != sha256:
            if not (root / path).is_file() or file_digest(root / path) != sha256:
                return False
            journal.add(path, status, sha256)
    return True


def _unpack(archive: Listed, files: Sequence[Listed], earlier: Unpacked, root: Path) -> dict[str, str]:
    """Return the sha256 of the archive's members, in place now, by their path in the corpus folder."""
    # Imported where it is needed: most publications have no archives.
    from pipeline.sources.archives import unpack

    folder = PurePosixPath(archive.path).parent
    reserved = _below(folder, [STATE_FOLDER, *(file.path for file in files)])
    replaced = _below(folder, earlier.members)
    members = unpack(root / archive.path, root / folder, reserved=reserved, replaced=replaced)
    return {(folder / member).as_posix(): sha256 for member, sha256 in members.items()}


def _below(folder: PurePosixPath, paths: Sequence[str] | Mapping[str, str]) -> frozenset[PurePosixPath]:
    """Return, relative to a folder, those of the paths that stand in it."""
    return frozenset(path.relative_to(folder) for path in map(PurePosixPath, paths) if path.is_relative_to(folder))

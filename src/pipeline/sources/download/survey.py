"""See which of the needed files are there already, whoever put them there."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.sources.download.checksums import PART_SUFFIXES, Listed
from pipeline.sources.download.journal import Journal, digests_of_others, file_status
from pipeline.sources.download.part import discard_part
from pipeline.sources.download.workers import work_through

log = logging.getLogger("pipeline.sources.download")


@dataclass(frozen=True)
class Survey:
    """Say what is there and what is not."""

    missing: list[Listed]
    """The files to fetch, in the order of the list."""
    files_there: int
    """Number of files that are verified."""
    bytes_there: int
    """Their size with that of the parts of the missing ones."""


def survey(files: Sequence[Listed], root: Path, journal: Journal, threads: int) -> Survey:
    """Compare the needed files with those in the folder.

    A file that the journal does not know is hashed, and taken over if it is the listed one; a
    file that is not the listed one counts as missing and will be replaced.
    """
    found = [(file, status) for file in files if (status := file_status(root / file.path))]
    _adopt([file for file, status in found if journal.digest(file.path, status) is None], root, journal, threads)
    sizes = {file.path: status.st_size for file, status in found if journal.digest(file.path, status) == file.sha256}
    others = [file for file, _ in found if file.path not in sizes]
    if others:
        _require_unclaimed(others, root, journal)
        log.warning("%d files in %s are not those of the list and will be replaced", len(others), root)
    missing = [file for file in files if file.path not in sizes]
    parts = (file_status(root / f"{file.path}{PART_SUFFIXES[0]}") for file in missing)
    return Survey(missing, len(sizes), sum(sizes.values()) + sum(part.st_size for part in parts if part))


def _require_unclaimed(files: Sequence[Listed], root: Path, journal: Journal) -> None:
    """Raise `UserError` where two publications would replace each other's files for ever."""
    claimed = digests_of_others(root, journal)
    lines = [file.line for file in files if file.path in claimed]
    if lines:
        raise UserError(
            f"{root} holds, from another publication, {len(lines)} other files under names of this one's list (first: "
            f"line {lines[0]}); give the publications folders of their own, or narrow 'needed' in the registry"
        )


def _adopt(files: Sequence[Listed], root: Path, journal: Journal, threads: int) -> None:
    """Hash files of unknown origin and enter those in the journal that are the listed ones."""

    def adopt(some: Iterator[Listed]) -> None:
        for file in some:
            path = root / file.path
            status = path.stat()
            if file_digest(path) == file.sha256:
                discard_part(path)
                journal.add(file.path, status, file.sha256)

    if files:
        log.info("hashing %d files that are already in %s", len(files), root)
        work_through(files, adopt, threads, Event(), interrupt=lambda: None)

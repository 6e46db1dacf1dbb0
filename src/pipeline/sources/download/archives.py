"""Unpack the archives of a publication once each, after they are verified."""

import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline.records.events import EventLog, read_events
from pipeline.sources.download.checksums import Listed
from pipeline.sources.download.selection import glob_pattern

log = logging.getLogger("pipeline.sources.download")


def unpack_archives(files: Sequence[Listed], globs: Sequence[str], root: Path, journal: Path) -> None:
    """Unpack, beside themselves, the verified files that a glob matches and that the journal does not hold yet.

    Raises `UserError` where an archive is damaged or its members lead out of the folder.
    """
    patterns = [glob_pattern(glob) for glob in globs]
    archives = [file for file in files if any(pattern.fullmatch(file.path) for pattern in patterns)]
    if not archives:
        return
    # Imported where it is needed: most publications have no archives.
    from pipeline.sources.archives import unpack

    events = EventLog(journal)
    unpacked = {(event["path"], event["sha256"]) for event in read_events(journal)} if journal.is_file() else set()
    for number, file in enumerate(archives, start=1):
        if (file.path, file.sha256) not in unpacked:
            log.info("unpacking archive %d of %d", number, len(archives))
            unpack(root / file.path, (root / file.path).parent)
            events.append({"path": file.path, "sha256": file.sha256})

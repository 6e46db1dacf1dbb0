"""One download at a time in one folder."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger("pipeline.sources.download")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a download folder, waiting until they are done; a killed process holds nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process is downloading into %s; waiting until it is done", folder.parent)
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            log.warning("%s cannot be locked (%s); see that no other process downloads there", folder, error.strerror)
        yield

"""One owner at a time: what keeps two processes from training the same run into the same folder."""

import errno
import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.records.publish import explaining_refusals

log = logging.getLogger(__name__)

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system answers that knows no locks, as some clusters mount theirs."""


@contextmanager
def owned(lock: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, created where it does not exist, that says who holds it.

    The system frees it when the process ends, however it ends. The file stays: were it deleted, one process could lock
    the deleted file, which it had opened before, and the next a new one of the same name.

    Raises:
        UserError: Another process holds it, or it cannot be written.
    """
    with explaining_refusals(lock):
        descriptor = _lock(lock)
    _held.add(descriptor)
    try:
        with explaining_refusals(lock):
            _sign(descriptor)
        yield
    finally:
        # Not in a forked child that runs to the end of the block: what it had is closed, the number may be another's.
        if descriptor in _held:
            _held.remove(descriptor)
            os.close(descriptor)


_held: set[int] = set()


def _let_go() -> None:
    """Close a forked child's share of the locks, which would outlive the owner with it; the owner's are kept."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)


def _lock(path: Path) -> int:
    """Return the descriptor of the locked file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if not _take(descriptor, path):
        os.close(descriptor)
        raise UserError(_refusal(path))
    return descriptor


def _take(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        log.warning("%s cannot be locked (%s); see to it that nothing else trains this run", path, error.strerror)
    return True


def _sign(descriptor: int) -> None:
    owner = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode() + b"\n", 0)


def _refusal(path: Path) -> str:
    try:
        owner = json.loads(path.read_bytes())
    except (OSError, ValueError):
        holder = "another process"
    else:
        job = f" (SLURM job {owner['slurm_job']})" if owner["slurm_job"] else ""
        holder = f"process {owner['pid']} on {owner['host']}{job} since {owner['since']}"
    return f"{path.parent} is in use by {holder}; wait until that has ended, or end it, and run again"

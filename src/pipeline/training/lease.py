"""GPUs of a machine that several jobs of one user share: each is lent to one job at a time."""

import fcntl
import logging
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import islice, takewhile
from pathlib import Path
from time import sleep
from typing import Self

from pipeline.records.digests import settings_digest
from pipeline.records.errors import UserError

log = logging.getLogger(__name__)

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_GPU = re.compile(r"\d+|(GPU|MIG)-.+")
_POLL_SECONDS = 0.5


@contextmanager
def leased_gpus(count: int) -> Iterator[tuple[str, ...]]:
    """Hold `count` of the machine's GPUs, and let this process and its children see those alone.

    Waits until so many are free; of jobs that may use the same GPUs, the one that came first is served first. Where
    `count` is 0 the block sees no GPU. Nothing is held, and the block sees what it saw before, where there is no GPU,
    and, whatever the count, under SLURM, which lends GPUs itself. To be entered before anything asks CUDA for its
    devices, as `torch.cuda.is_available` does, since CUDA reads the variable once.

    A GPU is locked by the name that CUDA_VISIBLE_DEVICES has for it: jobs that call one card by its number and jobs
    that call it by its `GPU-` name do not know of each other, so let all jobs of a machine use the same kind of name.
    Raises `UserError` where the folder of the locks cannot be used.
    """
    by_slurm = "SLURM_JOB_ID" in os.environ
    gpus = _gpus() if count > 0 and not by_slurm else ()
    if not gpus:
        with _visible(()) if count == 0 and not by_slurm else nullcontext():
            yield ()
        return
    if count > len(gpus):
        log.info("this job asks for %d GPUs and takes all that there are: %s", count, ", ".join(gpus))
    with _locked(gpus, min(count, len(gpus))) as leased, _visible(leased):
        yield leased


def _gpus() -> tuple[str, ...]:
    """Return the ids of the GPUs that this process may use: numbers, or the names of GPUs and of parts of them."""
    visible = os.environ.get(_VISIBLE)
    if visible is None:
        # Seconds to import, which a job whose GPUs are named need not spend before it gets in line.
        import torch

        return tuple(str(number) for number in range(torch.cuda.device_count()))
    # CUDA as well takes no notice of what follows an id that names nothing, such as -1.
    ids = takewhile(_GPU.fullmatch, (part.strip() for part in visible.split(",")))
    return tuple(dict.fromkeys(ids))


@contextmanager
def _visible(gpus: Sequence[str]) -> Iterator[None]:
    """Let this process and its children see these GPUs alone."""
    before = os.environ.get(_VISIBLE)
    os.environ[_VISIBLE] = ",".join(gpus)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VISIBLE]
        else:
            os.environ[_VISIBLE] = before


@contextmanager
def _locked(gpus: Sequence[str], count: int) -> Iterator[tuple[str, ...]]:
    """Hold the locks of `count` GPUs; the system takes them from a process that dies."""
    folder = _lock_folder()
    with ExitStack() as held:
        locks = [held.enter_context(_Lock(folder / gpu.replace("/", "_"), gpu)) for gpu in gpus]
        # Of jobs that share their GPUs one at a time takes some, so that one that needs many is not passed over.
        with _Lock(folder / f"turn-{settings_digest(sorted(gpus))[:16]}", "the turn") as turn:
            if not turn.tried():
                log.info("waiting for GPUs behind %s", turn.holder)
                turn.wait()
            turn.sign()
            taken = _take(locks, count)
        yield tuple(lock.name for lock in taken)


def _take(locks: Sequence["_Lock"], count: int) -> list["_Lock"]:
    """Take `count` of the locks once so many are free; hold none meanwhile, since another may wait for just that."""
    told = False
    while True:
        taken = list(islice((lock for lock in locks if lock.tried()), count))
        if len(taken) == count:
            for lock in taken:
                lock.sign()
            return taken
        if not told:
            told = True
            busy = (f"{lock.name} is held by {lock.holder}" for lock in locks if lock not in taken)
            log.info("waiting for %d of %d GPUs: %s", count, len(locks), ", ".join(busy))
        for lock in taken:
            lock.free()
        sleep(_POLL_SECONDS)


class _Lock:
    """Lock a file, and leave in it for others who holds it."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self.name = name

    def __enter__(self) -> Self:
        self._file = self._path.open("a+")
        return self

    def __exit__(self, *_: object) -> None:
        # A forked child may have the file open as well, so closing it here need not unlock it.
        self.free()
        self._file.close()

    def tried(self) -> bool:
        """Take the lock where it is free; say whether it was."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self) -> None:
        """Take the lock once it is free."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def free(self) -> None:
        """Let others take the lock."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    @property
    def holder(self) -> str:
        """Who signed the lock last."""
        return self._path.read_text() or "another process"

    def sign(self) -> None:
        """Leave in the file that this process keeps the lock."""
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()}")
        self._file.flush()


def _lock_folder() -> Path:
    """Return the folder in which this user's jobs on this machine agree on GPUs."""
    folder = Path(tempfile.gettempdir()) / f"gpu-leases-{os.getuid()}"
    try:
        folder.mkdir(exist_ok=True)
        # Refused for a folder that somebody else made.
        folder.chmod(0o700)
    except OSError as error:
        reason = error.strerror
        raise UserError(f"jobs cannot agree on GPUs in {folder} ({reason}): remove it, or set TMPDIR") from error
    return folder

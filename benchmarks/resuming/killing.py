"""Work in a process that is killed: after a time, or at one of its file operations.

Each process is forked from one that has imported everything and computed nothing, and so begins within milliseconds.
It leads a process group, and SIGKILL goes to the whole group: nothing of it can clean up, flush or say farewell.
"""

import contextlib
import faulthandler
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context, set_start_method
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any, cast

PRELOADED = [
    "pipeline.stages.pretrain_encoder",
    "pipeline.stages.extract_features",
    "pipeline.stages.evaluate_benchmark",
    "torch._dynamo",  # which the first optimiser of a process imports
]
WARM = get_context("forkserver")
WARM.set_forkserver_preload(PRELOADED)


@dataclass(frozen=True)
class AfterSeconds:
    """Kill when so much time has passed since the work began."""

    seconds: float


@dataclass(frozen=True)
class AtOperation:
    """Kill just before an operation on the files of a part."""

    part: str
    number: int
    """Which of the part's operations, counted from 1."""


Moment = AfterSeconds | AtOperation
Parts = Mapping[str, Path]
"""Folder of each part of what the work writes; a file belongs to the first that holds it."""


@dataclass(frozen=True)
class Ending:
    """Say how a process ended."""

    killed: bool
    """Whether it was killed, rather than that it had done its work."""
    seconds: float
    """Time from when the work began."""
    stack: str = ""
    """Where the killed thread was; of a process killed after a time, its main thread."""
    operations: Counter[str] = field(default_factory=Counter)
    """Operations on the files of each part, where the work was done."""


def work_until(work: Callable[[], None], moment: Moment | None = None, parts: Parts | None = None) -> Ending:
    """Do some work in a process of its own, killed at a moment unless it is done before.

    The work is sent there, and so is a function of a module, or a `partial` or method of what can be pickled.
    Raises `ChildProcessError` where the work ends by an error, which the process has printed.
    """
    told, tells = WARM.Pipe(duplex=False)
    process = WARM.Process(target=_enter, args=(work, moment, parts or {}, tells))
    process.start()
    tells.close()
    with told, contextlib.closing(process):
        told.recv_bytes()
        began = monotonic()
        last_words = _kill_after(process, told, moment.seconds) if isinstance(moment, AfterSeconds) else ""
        last_words += _read_all(told)
        process.join()
        seconds = monotonic() - began
        status = process.exitcode
    if status == -signal.SIGKILL:
        return Ending(killed=True, seconds=seconds, stack=last_words)
    if status != 0:
        raise ChildProcessError(f"the work ended with exit status {status}")
    counted = next(line for line in last_words.splitlines() if line.startswith("{"))
    return Ending(killed=False, seconds=seconds, operations=Counter(json.loads(counted)))


def _kill_after(process: BaseProcess, told: Connection, seconds: float) -> str:
    """Kill the process group after a time; return what it told till then, the stack of its main thread at last."""
    process.join(seconds)
    leader, words = cast(int, process.pid), ""
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGUSR1)
        while not words.endswith("in <module>\n") and (more := os.read(told.fileno(), 1 << 16)):
            words += more.decode()
        os.killpg(leader, signal.SIGKILL)
    return words


def _read_all(told: Connection) -> str:
    """Return what the process tells until its end, or that of the last one of its group."""
    parts = iter(lambda: os.read(told.fileno(), 1 << 16), b"")
    return b"".join(parts).decode()


def _enter(work: Callable[[], None], moment: Moment | None, parts: Parts, tells: Connection) -> None:
    """Lead a group, do the work, and tell how many file operations it took."""
    os.setsid()
    # Its own children too are forked, as they would be by default, rather than by a server outside the group.
    set_start_method("fork", force=True)
    faulthandler.register(signal.SIGUSR1, tells.fileno(), all_threads=False)
    operations = _FileOperations(parts, moment, tells.fileno())
    sys.addaudithook(operations.notice)
    tells.send_bytes(b"begun")
    work()
    os.write(tells.fileno(), f"\n{json.dumps(operations.counted)}".encode())


class _FileOperations:
    """Count the operations on the files of each part, and end all at the one that is the moment."""

    EVENTS = frozenset({"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree"})
    """Audit events of Python; each is raised before what it names is done."""

    def __init__(self, parts: Parts, moment: Moment | None, tells: int) -> None:
        self._folders = {part: str(folder) for part, folder in parts.items()}
        self._moment = moment
        self._tells = tells
        self.counted: Counter[str] = Counter()

    def notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count an event; audit hooks are called for each, in the thread that raises it."""
        if event not in self.EVENTS or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.fspath(arguments[0])
        part = next((part for part, folder in self._folders.items() if str(path).startswith(folder)), None)
        if part is not None:
            self.counted[part] += 1
            if self._moment == AtOperation(part, self.counted[part]):
                faulthandler.dump_traceback(self._tells, all_threads=False)
                os.killpg(0, signal.SIGKILL)

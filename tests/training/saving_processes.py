"""Processes that save states and are killed, and a server that starts them quickly, with torch imported already."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch

from pipeline.records.errors import UserError
from pipeline.training.saving import StateWriter
from pipeline.training.state import StateFolder

FINGERPRINT = "f" * 16
STATE_NUMBERS = 400_000

SERVER = multiprocessing.get_context("forkserver")
# Not this module, which lies on no path that the server knows.
SERVER.set_forkserver_preload(["pytest", "pipeline.training.saving"])


def state_of(step: int, numbers: int = STATE_NUMBERS) -> dict[str, Any]:
    """Return a state, each number of which says of what step it is."""
    moments = {"step": torch.tensor(float(step)), "exp_avg": torch.full((numbers // 2,), float(step))}
    groups = [{"lr": 0.1 * step, "betas": (0.9, 0.95), "params": [0]}]
    weights = {"weight": torch.full((numbers // 2,), float(step))}
    return {"task": weights, "optimizer": {"state": {0: moments}, "param_groups": groups}, "best": None}


def same(first: Any, second: Any) -> bool:
    """Tell whether two states are equal in kind, structure, tensors and values."""
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and bool(first == second)


@contextmanager
def running(target: Any, *arguments: Any) -> Iterator[tuple[ForkServerProcess, Connection]]:
    """Start a process that is given one end of a pipe; kill it at the end, where it still runs."""
    ours, theirs = SERVER.Pipe()
    process = SERVER.Process(target=target, args=(theirs, *arguments))
    with ours:
        process.start()
        theirs.close()
        try:
            yield process, ours
        finally:
            process.kill()
            process.join()
            process.close()


def save_on_and_on(report: Connection, parent: Path) -> None:
    """Save state after state, going on from the newest, and report the step of each that is on disk."""
    torch.set_num_threads(1)
    states = StateFolder(parent, FINGERPRINT)
    with states.owned(), StateWriter(states) as writer:
        newest = states.newest()
        step = 0 if newest is None else newest[0]
        report.send(step)
        while True:
            step += 1
            writer.save(step, state_of(step))
            writer.wait()
            report.send(step)


def own(report: Connection, parent: Path) -> None:
    """Own the states until killed."""
    with StateFolder(parent, FINGERPRINT).owned():
        report.send(os.getpid())
        signal.pause()


def own_and_fork(report: Connection, parent: Path) -> None:
    """Own the states until killed, and leave a child behind that lives on."""
    with StateFolder(parent, FINGERPRINT).owned():
        child = os.fork()
        if child:
            report.send(child)
        signal.pause()


def own_by_turns(report: Connection, parent: Path, rounds: int) -> None:
    """Own the states time and again; report how often another process was found to own them as well."""
    shared = 0
    while rounds:
        states = StateFolder(parent, FINGERPRINT)
        try:
            with states.owned():
                rounds -= 1
                try:
                    (states.folder / "alone").touch(exist_ok=False)
                    (states.folder / "alone").unlink()
                except OSError:
                    shared += 1
        except UserError:
            continue
    report.send(shared)


def save_beyond_the_file_size_limit(report: Connection, parent: Path) -> None:
    """Save a state that is larger than a file may be, and report how that is refused, twice."""
    states = StateFolder(parent, FINGERPRINT)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    writer = StateWriter(states)
    writer.save(3, state_of(3, 1_000_000))
    report.send(_refusal(writer))
    # An obstacle that is gone is no obstacle: the same process goes on saving.
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer.save(4, state_of(4))
    writer.close()


def save_where_nothing_may_be_written(report: Connection, parent: Path) -> None:
    """Save a state into a folder that is read-only, as a user whom that binds, and report how that is refused."""
    states = StateFolder(parent, FINGERPRINT)
    states.folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    writer = StateWriter(states)
    writer.save(3, state_of(3))
    report.send(_refusal(writer))


def _refusal(writer: StateWriter) -> str:
    try:
        writer.wait()
    except UserError as error:
        return str(error)
    return "nothing was refused"

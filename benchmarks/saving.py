"""What a saved state costs the training loop, and what a kill during a save leaves, against torch.save in the loop.

The peer is what research code does, Medical MAE's and the MAE's it descends from included: torch.save to the final
name, in the loop. Ours copies the state and writes it in a thread, with a digest, flushed to the disk.

- cost: the state of a ViT-B (timm) and its AdamW, 1 GB, saved every 30 s, on two cores that a training loop keeps busy.
  `loop stands still`: the time by the clock until the call returns, of these 30 s; goal 2 %. `share of the cores`: the
  processor time of the loop's own thread, and half of what the other threads take, which the two cores then lack.
  `share by the clock`: by how much a stretch of matrix products on two threads takes longer with one save in it than
  without, until the state is on the disk; on a machine with other work it may be anything. Medians of interleaved
  rounds. The peer flushes nothing; what it leaves to the system to write is flushed between, at no charge.
- kills: processes that save a state of 3 MB time and again, each killed at some moment. `readable`: the newest state
  can be read, holds what it was saved with, and is no older than the last that was reported as saved; goal all.
"""

import itertools
import logging
import multiprocessing
import pickle
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import timm
import torch
from rich.console import Console

from benchmarks.frame import Measure, Task, less_is_better, more_often_is_better, wall_seconds
from pipeline.records.publish import flush_to_disk
from pipeline.records.randomness import keyed_generator
from pipeline.training.saving import StateWriter
from pipeline.training.state import StateFolder

PEER, PEER_FILE = "torch.save in the loop", "checkpoint.pt"
THREADS, SIDE = 2, 1024
ROUNDS, STRETCH_SECONDS, INTERVAL_SECONDS = 5, 4.0, 30.0
WARM_UP = 1
"""Rounds in which buffers are made, once in a run."""
KILLS, LONGEST_LIFE = 200, 0.05
NUMBERS = 800_000

Writer = Callable[[Connection, Path], None]
"""Saves state after state and reports each step."""
Reader = Callable[[Path], int | None]
"""Returns the step of the newest state, None where it cannot be read or is not what was saved."""


def run() -> list[Measure]:
    """Measure cost and kills on the disk of the temporary folder."""
    with TemporaryDirectory() as folder:
        return [*measure_cost(Path(folder) / "cost"), measure_kills(Path(folder) / "kills")]


@dataclass(frozen=True)
class Cost:
    """State what one save costs, in seconds."""

    still: float
    """Time by the clock until training goes on."""
    held_up: float
    """Processor time of the thread that trains."""
    beside: float
    """Processor time of other threads."""
    clock: float
    """Time of the save and a stretch of training, until the state is on the disk."""


def measure_cost(folder: Path) -> list[Measure]:
    """Compare what a save of a ViT-B's state costs the loop."""
    torch.set_num_threads(THREADS)
    state, stretch = vit_state(), calibrated_stretch()
    folder.mkdir()
    without, ours, theirs = [], [], []
    with StateWriter(StateFolder(folder / "state", "bench")) as writer:
        steps = itertools.count()
        for _ in range(WARM_UP + ROUNDS):
            without.append(wall_seconds(stretch))
            ours.append(cost(lambda: writer.save(next(steps), state), stretch, writer.wait))
            theirs.append(cost(partial(torch.save, state, folder / PEER_FILE), stretch))
            flush_to_disk(folder / PEER_FILE)
            Console().print(f"without a save: {without[-1]:.1f} s; ours: {ours[-1]}; theirs: {theirs[-1]}")
    return compare_cost(without[WARM_UP:], ours[WARM_UP:], theirs[WARM_UP:])


def cost(save: Task, stretch: Task, wait: Task = lambda: None) -> Cost:
    """Save twice: alone, for the processor time, and before a stretch of training, for the time by the clock."""
    process, thread, clock = time.process_time(), time.thread_time(), time.perf_counter()
    save()
    still, held_up = time.perf_counter() - clock, time.thread_time() - thread
    wait()
    beside = time.process_time() - process - held_up
    clock = time.perf_counter()
    save()
    stretch()
    wait()
    return Cost(still, held_up, beside, time.perf_counter() - clock)


def median(costs: list[Cost]) -> Cost:
    """Return the median of each time."""
    return Cost(*(statistics.median(column) for column in zip(*map(astuple, costs), strict=True)))


def compare_cost(without: list[float], ours: list[Cost], theirs: list[Cost]) -> list[Measure]:
    """Compare the medians; what a save costs by the clock is at least the time that the loop stands still."""
    stretch, costs = statistics.median(without), [median(ours), median(theirs)]
    shares = {
        "1 GB: loop stands still": [cost.still for cost in costs],
        "1 GB: share of the cores": [cost.held_up + cost.beside / THREADS for cost in costs],
        "1 GB: share by the clock": [max(cost.clock - stretch, cost.still) for cost in costs],
    }
    per_second = 100 / INTERVAL_SECONDS
    return [
        less_is_better(name, per_second * mine, per_second * other, PEER, "%") for name, (mine, other) in shares.items()
    ]


def vit_state() -> dict[str, Any]:
    """Return the state of a ViT-B and its optimiser after one step."""
    model = timm.create_model("vit_base_patch16_224")
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return {"task": model.state_dict(), "optimizer": optimizer.state_dict()}


def calibrated_stretch() -> Task:
    """Return matrix work of a few seconds."""
    matrix = torch.randn(SIDE, SIDE)
    trial = 20
    products = round(trial * STRETCH_SECONDS / wall_seconds(lambda: multiply(matrix, trial)))
    return lambda: multiply(matrix, products)


def multiply(matrix: torch.Tensor, times: int) -> None:
    """Multiply a matrix with itself."""
    for _ in range(times):
        torch.mm(matrix, matrix)


def measure_kills(folder: Path) -> Measure:
    """Compare after how many kills the newest state can be read."""
    folder.mkdir()
    ours = sum(survives(save_ours, read_ours, folder, kill) for kill in range(KILLS))
    theirs = sum(survives(save_theirs, read_theirs, folder, kill) for kill in range(KILLS))
    return more_often_is_better("readable after a kill", ours, theirs, PEER, f"of {KILLS}")


def survives(save: Writer, read: Reader, folder: Path, kill: int) -> bool:
    """Kill a saving process at some moment and tell whether what it reported as saved can be read."""
    reported = last_report(save, folder, keyed_generator(0, "kill", kill).uniform(0.0, LONGEST_LIFE))
    newest = read(folder)
    return newest is not None and newest >= reported


def last_report(save: Writer, folder: Path, seconds: float) -> int:
    """Let a process save for some time after its first state, kill it, and return the last step that it reported."""
    reports, theirs = SERVER.Pipe()
    process = SERVER.Process(target=save, args=(theirs, folder))
    process.start()
    theirs.close()
    reported: int = reports.recv()
    time.sleep(seconds)
    process.kill()
    process.join()
    with reports, suppress(EOFError):
        while True:
            reported = reports.recv()
    return reported


def save_ours(reports: Connection, folder: Path) -> None:
    """Save state after state by our writer."""
    torch.set_num_threads(1)
    states = StateFolder(folder / "state", "bench")
    with states.owned(), StateWriter(states) as writer:
        step = read_ours(folder) or 0
        while True:
            step += 1
            writer.save(step, state_of(step))
            writer.wait()
            reports.send(step)


def save_theirs(reports: Connection, folder: Path) -> None:
    """Save state after state to one name."""
    torch.set_num_threads(1)
    step = 0
    while True:
        step += 1
        torch.save(state_of(step), folder / PEER_FILE)
        reports.send(step)


def read_ours(folder: Path) -> int | None:
    """Return the step of our newest state."""
    newest = StateFolder(folder / "state", "bench").newest()
    return None if newest is None else step_of(newest[1])


def read_theirs(folder: Path) -> int | None:
    """Return the step of the peer's state."""
    try:
        return step_of(torch.load(folder / PEER_FILE, weights_only=True))
    except (EOFError, OSError, RuntimeError, pickle.UnpicklingError):
        return None


def state_of(step: int) -> dict[str, Any]:
    """Return a small state, each number of which says of what step it is."""
    return {"step": step, "weights": torch.full((NUMBERS,), float(step))}


def step_of(state: dict[str, Any]) -> int | None:
    """Return the step that all of a state is of."""
    step: int = state["step"]
    return step if bool((state["weights"] == step).all()) else None


# Processes that have torch imported before they begin.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["pipeline", __name__])

# That a state without receipt is passed over is what the kills are to show, and no news.
logging.getLogger("pipeline.training").setLevel(logging.ERROR)

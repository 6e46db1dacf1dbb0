"""What every benchmark shares: fair timing, one table, one file of results."""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from pipeline.records.publish import publish_json
from pipeline.records.versions import EVALUATION_PACKAGES, TRAINING_PACKAGES, machine, package_versions

RESULTS = Path("results/bench")
PEERS = ("lightning", "litdata", "pillow", "scikit-image", "scikit-learn", "torchvision", "transformers", "webdataset")
PACKAGES = sorted({*TRAINING_PACKAGES, *EVALUATION_PACKAGES, *PEERS})

Task = Callable[[], object]


class Measure(BaseModel):
    """State one quantity for us and for a peer; `ratio` above 1 means that ours is better."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    measure: str
    ours: float
    theirs: float
    peer: str
    ratio: float
    unit: str


def less_is_better(measure: str, ours: float, theirs: float, peer: str, unit: str) -> Measure:
    """Compare what is spent (seconds, bytes): the ratio is theirs / ours."""
    return Measure(measure=measure, ours=ours, theirs=theirs, peer=peer, ratio=theirs / ours, unit=unit)


def more_is_better(measure: str, ours: float, theirs: float, peer: str, unit: str) -> Measure:
    """Compare what is gained (images per second): the ratio is ours / theirs."""
    return Measure(measure=measure, ours=ours, theirs=theirs, peer=peer, ratio=ours / theirs, unit=unit)


def cpu_seconds(task: Task) -> float:
    """Return the processor time of this process that a task takes, all threads together, seconds."""
    return _elapsed(task, time.process_time)


def wall_seconds(task: Task) -> float:
    """Return the time a task takes by the clock, seconds; on a shared machine it may double."""
    return _elapsed(task, time.perf_counter)


def interleaved(tasks: list[Task], rounds: int, seconds: Callable[[Task], float] = cpu_seconds) -> list[float]:
    """Return each task's median over rounds in which all take turns, so that a slow spell hits all alike."""
    timings = [[seconds(task) for task in tasks] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*timings, strict=True)]


@dataclass(frozen=True)
class Stopwatch:
    """Hold what has passed: `after - before` is what lies between two readings."""

    wall: float
    """Time by the clock, seconds."""
    cpu: float
    """Processor time of this process and of the processes below it, living and ended, seconds."""

    @classmethod
    def read(cls) -> Self:
        """Return a reading; what an ended process has spent is lost until it is joined."""
        ended_and_own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        cpu = sum(usage.ru_utime + usage.ru_stime for usage in ended_and_own)
        living = (child.cpu_times() for child in psutil.Process().children(recursive=True))
        cpu += sum(times.user + times.system + times.children_user + times.children_system for times in living)
        return cls(time.perf_counter(), cpu)

    def __sub__(self, earlier: Self) -> Self:
        return type(self)(self.wall - earlier.wall, self.cpu - earlier.cpu)


def report(name: str, description: str, measures: list[Measure]) -> None:
    """Print the measures as a table and publish them as `results/bench/<name>.json`."""
    _print(name, description, measures)
    provenance: dict[str, Any] = {"machine": machine(), "versions": package_versions(PACKAGES)}
    publish_json(RESULTS / f"{name}.json", [measure.model_dump() | provenance for measure in measures])


def _print(name: str, description: str, measures: list[Measure]) -> None:
    table = Table(title=name, caption=f"{description.splitlines()[0]} A ratio above 1 means ours is better.")
    for heading in ("measure", "ours", "theirs", "unit", "ratio", "peer"):
        table.add_column(heading, justify="left" if heading in ("measure", "peer", "unit") else "right")
    for m in measures:
        table.add_row(m.measure, f"{m.ours:.4g}", f"{m.theirs:.4g}", m.unit, f"{m.ratio:.2f}", m.peer)
    Console().print(table)


def _elapsed(task: Task, clock: Callable[[], float]) -> float:
    start = clock()
    task()
    return clock() - start


def more_often_is_better(measure: str, ours: int, theirs: int, peer: str, unit: str) -> Measure:
    """Compare how often something is achieved; a peer that never does counts as once in the ratio, a lower bound."""
    return Measure(measure=measure, ours=ours, theirs=theirs, peer=peer, ratio=ours / max(theirs, 1), unit=unit)

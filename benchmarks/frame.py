"""What every benchmark shares: fair timing, one table, one file of results."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from pipeline.records.publish import publish_json
from pipeline.records.versions import EVALUATION_PACKAGES, TRAINING_PACKAGES, machine, package_versions

RESULTS = Path("results/bench")
PACKAGES = sorted({*TRAINING_PACKAGES, *EVALUATION_PACKAGES, "scikit-learn"})

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

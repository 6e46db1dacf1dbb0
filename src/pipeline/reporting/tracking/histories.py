"""Where the histories of a results folder stand, and the numbers in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.records.events import Event, read_history

HISTORY = "history.jsonl"
KINDS = {"step": "training", "validation": "validation"}
"""Kinds of events that are forwarded, and the groups under which trackers show their numbers."""


@dataclass(frozen=True)
class RunHistory:
    """Name the history of one run."""

    run: str
    """Name of the run in the configuration."""
    path: Path
    """`history.jsonl`, beside the run's weights or, while it trains, beside its states."""
    live: bool
    """Whether the run is not published yet."""


class Row(NamedTuple):
    """Hold the numbers of one event."""

    kind: str
    """`training` or `validation`."""
    step: int
    """Optimiser steps done."""
    numbers: dict[str, float]
    """Values by name, such as `training/loss`."""


def find_histories(results: Path) -> list[RunHistory]:
    """Return the newest history of each run of a results folder, by name; one that is trained again has several."""
    newest: dict[str, tuple[int, RunHistory]] = {}
    published, live = f"*/{HISTORY}", f"*/state/*/{HISTORY}"
    for path in [*(results / "runs").glob(published), *(results / "runs").glob(live)]:
        history = RunHistory(path.relative_to(results / "runs").parts[0], path, live=path.parts[-3] == "state")
        written = _written(path)
        if history.run not in newest or written > newest[history.run][0]:
            newest[history.run] = (written, history)
    return [newest[run][1] for run in sorted(newest)]


def rows(history: Path) -> Iterator[Row]:
    """Yield the numbers of the events that count."""
    for event in read_history(history):
        kind, step = KINDS.get(str(event.get("event"))), event.get("step")
        if kind is not None and isinstance(step, int):
            yield Row(kind, step, {f"{kind}/{name}": value for name, value in numbers(event).items() if name != "step"})


def numbers(event: Event) -> dict[str, float]:
    """Return the fields of an event that are numbers; text, truth values and gaps never leave the machine."""
    return {
        name: value for name, value in event.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _written(path: Path) -> int:
    """Return when a file was written, nanoseconds; 0 where it was deleted since it was found."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0

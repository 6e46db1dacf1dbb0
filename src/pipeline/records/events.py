"""The event log: one JSON object per line, appended as things happen."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.records.publish import explaining_refusals

Event = dict[str, str | int | float | bool | None]


class EventLog:
    """Append events to a JSONL file; each line reaches the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; a last line that was cut short is removed, so that the next one stands alone.

        Raises `UnwritableError` where the disk refuses it.
        """
        with explaining_refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                content = path.read_bytes()
                if not content.endswith(b"\n"):
                    os.truncate(path, content.rfind(b"\n") + 1)
        self.path = path

    def append(self, event: Mapping[str, str | int | float | bool | None]) -> None:
        """Append one event.

        Raises `ValueError` for NaN or infinite values, which JSON cannot hold, and `UnwritableError` where the disk
        refuses it.
        """
        line = json.dumps(event, allow_nan=False) + "\n"
        with explaining_refusals(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a log; a last line cut short by a kill is not an event and is left out."""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


def read_history(path: Path) -> list[Event]:
    """Return the events of a run's log that count.

    A `start` at a step takes the place of all that was logged beyond that step before it: the life of the run that
    logged it was lost, and the run went on from that step. This is the one rule by which a history is read.
    """
    kept: list[Event] = []
    last_kept = math.inf
    for event in reversed(list(read_events(path))):
        step = event.get("step")
        if isinstance(step, int) and step > last_kept:
            continue
        kept.append(event)
        if event.get("event") == "start" and isinstance(step, int):
            last_kept = step
    return kept[::-1]

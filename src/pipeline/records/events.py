"""The event log: one JSON object per line, appended as things happen."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

Event = dict[str, str | int | float | bool | None]


class EventLog:
    """Append events to a JSONL file; each line reaches the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; a last line that was cut short is removed, so that the next one stands alone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            content = path.read_bytes()
            os.truncate(path, content.rfind(b"\n") + 1)
        self.path = path

    def append(self, event: Mapping[str, str | int | float | bool | None]) -> None:
        """Append one event. Raises `ValueError` for NaN or infinite values, which JSON cannot hold."""
        line = json.dumps(event, allow_nan=False) + "\n"
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a log; a last line cut short by a kill is not an event and is left out."""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)

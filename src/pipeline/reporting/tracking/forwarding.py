"""Forwarding: what a tracker lacks of the histories of a results folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.reporting.tracking.histories import RunHistory, find_histories, rows
from pipeline.reporting.tracking.sent import SentHistories
from pipeline.reporting.tracking.trackers import Tracker


class Forwarded(NamedTuple):
    """Say what was sent of one run."""

    name: str
    """Name of the run in the tracker."""
    rows: int
    """How many rows were sent now."""
    live: bool
    """Whether more is to come."""


def forward(results: Path, tracker: Tracker, memory: Path) -> Iterator[Forwarded]:
    """Send what the tracker lacks of each run and note it in the file `memory`, one run after the other.

    A number is sent once, however often this is called, unless the call itself is killed while it sends.
    """
    sent = SentHistories.load(memory)
    for history in find_histories(results):
        try:
            yield _forward_run(history, tracker, sent)
        except FileNotFoundError:  # published, and its live history deleted, since it was found
            yield Forwarded(history.run, 0, live=True)
        sent.save(memory)


def _forward_run(history: RunHistory, tracker: Tracker, sent: SentHistories) -> Forwarded:
    content = history.path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    known = sent.of(history.run, whole)
    lacking = [row for row in rows(history.path) if known.lacks(row)]
    if lacking:
        tracker.send(known.name, lacking)
    for row in lacking:
        known.add(row)
    known.extend(whole)
    return Forwarded(known.name, len(lacking), history.live)

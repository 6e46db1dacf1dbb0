"""Damaged samples that a run sets aside, listed in a file that outlives it."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.records.errors import UserError
from pipeline.records.events import EventLog


class Damage(NamedTuple):
    """Name a damaged sample."""

    shard: str
    """Its shard, as `corpus/name.tar`."""
    key: str
    """Its key within the shard."""
    reason: str
    """What its bytes are found to be, the end of a sentence."""


class Quarantine:
    """List damaged samples, up to a number, so that training goes on without them.

    The list holds shard, key and reason of each sample, a JSON object per line. The keys of some corpora
    hold numbers of patients, so it belongs with the run's other files and goes nowhere that these do
    not. One process writes to a file, from any of its threads; what others list is read at the start, and
    again whenever this one lists a sample, so that the last to list one of too many knows of all, as soon
    as the file system that they share shows what the others wrote.
    """

    def __init__(self, path: Path, max_bad: int, continues: bool, others: Iterable[Path] = ()) -> None:
        """Begin the list at `path` anew, or go on with that of a run that continues from a saved state.

        `others` are the lists of the run's other processes, which need not exist yet. `max_bad` samples are tolerated
        in all. Raises `UserError` where more are listed already, or for a line that lists none.
        """
        if not continues:
            path.unlink(missing_ok=True)
        self.path = path
        self.max_bad = max_bad
        self._log = EventLog(path)
        self._lock = threading.Lock()
        self._reasons: dict[tuple[str, str], str] = {}
        self._others = [other for other in others if other != path]
        if continues:
            self._take_in(path, *self._others)
        self._require_tolerable(f"{path} lists them")

    def __contains__(self, sample: tuple[str, str]) -> bool:
        return sample in self._reasons

    @property
    def count(self) -> int:
        """Return how many samples are listed, by earlier tries of the run too."""
        return len(self._reasons)

    def add(self, shard: str, key: str, reason: str) -> None:
        """List a sample of a shard (`corpus/name.tar`), once, its bytes for some reason; it is on disk on return.

        Raises `UserError` naming it and the list where these, and those of other processes, are more than tolerated.
        """
        with self._lock:
            if (shard, key) not in self._reasons:
                self._log.append(_line(shard, key, reason))
                self._reasons[shard, key] = reason
                self._take_in(*self._others)
            self._require_tolerable(f"{self.path} lists them, the last: {shard}: the bytes of sample '{key}' {reason}")

    def content(self) -> bytes:
        """Return the list sorted by shard and key, so that equal runs publish equal bytes."""
        listed = sorted(self._reasons.items())
        return "".join(json.dumps(_line(*sample, reason)) + "\n" for sample, reason in listed).encode()

    def _take_in(self, *listings: Path) -> None:
        for listing in listings:
            self._reasons |= _read(listing) if listing.is_file() else {}

    def _require_tolerable(self, details: str) -> None:
        if self.count > self.max_bad:
            raise UserError(
                f"{self.count} damaged samples are more than max_bad, {self.max_bad}; {details}; restore the shards "
                f"and delete {self.path.parent} to begin anew, or raise max_bad"
            )


def _line(shard: str, key: str, reason: str) -> dict[str, str]:
    return {"shard": shard, "key": key, "reason": reason}


def _read(path: Path) -> dict[tuple[str, str], str]:
    """Return the reason for each listed sample, a last line that was cut short left out.

    Raises `UserError` naming a line that lists none.
    """
    reasons = {}
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        try:
            listed = json.loads(line)
        except ValueError:
            listed = None
        match listed:
            case {"shard": str(shard), "key": str(key), "reason": str(reason)}:
                reasons[shard, key] = reason
            case _:
                raise UserError(
                    f"{path}, line {number}, lists no damaged sample; remove that line, or delete {path.parent} to "
                    "begin anew"
                )
    return reasons

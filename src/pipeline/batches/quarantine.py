"""Damaged samples that a run sets aside, listed in a file that outlives it."""

import threading
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.records.events import EventLog, read_events


class Quarantine:
    """List damaged samples, up to a number, so that training goes on without them.

    The list holds shard, key and reason of each sample, a JSON object per line, and nothing of its
    patient. A run that continues from an earlier try counts what that one listed. One process writes
    to a file, from any of its threads.
    """

    def __init__(self, path: Path, max_bad: int) -> None:
        """Continue the list at `path`, or begin it; `max_bad` samples are tolerated in all."""
        self.path = path
        self.max_bad = max_bad
        self._log = EventLog(path)
        self._lock = threading.Lock()
        listed = read_events(path) if path.is_file() else ()
        self._listed = {(str(event["shard"]), str(event["key"])) for event in listed}

    def __contains__(self, sample: tuple[str, str]) -> bool:
        return sample in self._listed

    @property
    def count(self) -> int:
        """Return how many samples are listed, by earlier tries of the run too."""
        return len(self._listed)

    def add(self, shard: str, key: str, reason: str) -> None:
        """List a sample, once, its bytes for some reason; it is on disk when this returns.

        Raises `UserError` naming it and the list where these are more than tolerated.
        """
        with self._lock:
            if (shard, key) not in self._listed:
                self._log.append({"shard": shard, "key": key, "reason": reason})
                self._listed.add((shard, key))
            if self.count > self.max_bad:
                raise UserError(
                    f"{self.count} damaged samples are more than max_bad, {self.max_bad}; {self.path} lists them, the "
                    f"last: {shard}: the bytes of sample '{key}' {reason}; write the shards again, or raise max_bad"
                )

"""What a tracker has already: so that a command that is repeated sends each number once."""

import hashlib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from pipeline.records.publish import publish_text
from pipeline.reporting.tracking.histories import Row


class SentHistory(BaseModel):
    """Say how much of one history was sent, and under which name."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    run: str
    """Name of the run in the configuration."""
    name: str
    """Name in the tracker; a run that is trained anew, by other settings or data, gets another one."""
    length: int
    """Bytes of the history that were there."""
    sha256: str
    """Digest of those bytes, by which the same history is known again wherever it stands."""
    steps: dict[str, int] = {}
    """Last step that was sent of each kind. A resumed run logs steps anew; what it logs again is not sent again."""

    def begins(self, content: bytes) -> bool:
        """Tell whether a history has grown out of this one, or is still the same."""
        return len(content) >= self.length and _digest(content[: self.length]) == self.sha256

    def lacks(self, row: Row) -> bool:
        """Tell whether a row was not sent yet."""
        return row.step > self.steps.get(row.kind, -1)

    def add(self, row: Row) -> None:
        """Note that a row was sent."""
        self.steps[row.kind] = row.step

    def extend(self, content: bytes) -> None:
        """Note how far the history was read."""
        self.length, self.sha256 = len(content), _digest(content)


class SentHistories(BaseModel):
    """Remember what was sent to one project of one tracker, in a file of its own."""

    model_config = ConfigDict(extra="forbid")

    histories: list[SentHistory] = []

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what the file remembers: nothing where there is none."""
        return cls.model_validate_json(path.read_text()) if path.is_file() else cls()

    def save(self, path: Path) -> None:
        """Publish the file."""
        publish_text(path, self.model_dump_json(indent=2) + "\n")

    def of(self, run: str, content: bytes) -> SentHistory:
        """Return what was sent of the history of a run that has this content; an entry of its own where it is new."""
        known = [sent for sent in self.histories if sent.run == run]
        for sent in sorted(known, key=lambda sent: -sent.length):
            if sent.begins(content):
                return sent
        name = run if not known else f"{run}-{len(known) + 1}"
        self.histories.append(SentHistory(run=run, name=name, length=len(content), sha256=_digest(content)))
        return self.histories[-1]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""When a run's state is saved, and when the run has to stop."""

from time import monotonic
from typing import Any

from pipeline.records.errors import UserError
from pipeline.training.group import Group
from pipeline.training.history import RunHistory
from pipeline.training.out_of_memory import NO_ROOM_FOR_STATE, explaining_memory
from pipeline.training.saving import StateWriter
from pipeline.training.state import StateFolder
from pipeline.training.stopping import Interruptions, Reason

_CAUTION = 2
"""How many times as long as ever before a step or a save may take while the job still ends in time."""


class Checkpoints:
    """Save a run's state by the first process's clock; all processes decide alike, and only the first writes."""

    def __init__(
        self,
        states: StateFolder,
        writer: StateWriter,
        interruptions: Interruptions,
        group: Group,
        seconds: float,
        history: RunHistory,
    ) -> None:
        """Prepare to save `seconds` after the last save began, at the soonest."""
        self._states = states
        self._writer = writer
        self._interruptions = interruptions
        self._group = group
        self._interval = seconds
        self._history = history
        self.newest: int | None = None
        """Step of the newest state, on disk or on the way there."""
        self._announced: int | None = None
        self._began = monotonic()
        self._asked = 0.0
        self._decisions = 0
        self._longest = 0.0
        self._load_seconds = 0.0

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """Return the step and the newest state that the processes go on from; None where there is none.

        No process returns before all have read it, so the first may then replace it. Raises `UserError` where the
        processes read different states.
        """
        began = monotonic()
        found = self._states.newest()
        self._load_seconds = monotonic() - began
        step = -1 if found is None else found[0]
        (differs,) = self._group.any(step != self._group.first_says(step))
        if differs:
            raise UserError(
                f"the processes of this run read different states from {self._states.folder}; put the run's folder on "
                "a file system that all nodes share"
            )
        if found is not None:
            self.newest = self._announced = step
            self._longest = found[1]["longest"] / _CAUTION
        return found

    def decide(self) -> tuple[bool, Reason | None]:
        """Return whether a state is to be saved now, and why the run has to stop, the same in all processes.

        To be asked before the first step and after each; waits for the other processes, and for no device. Raises
        `UserError` where an earlier state could not be written.
        """
        self._announce()
        reason = self._interruptions.reason(self._needed_seconds())
        due, signalled, over = self._group.any(self._is_due(), reason is Reason.SIGNAL, reason is Reason.DEADLINE)
        stop = Reason.SIGNAL if signalled else Reason.DEADLINE if over else None
        return due or stop is not None, stop

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Save the state after `step` steps, unless it is saved already, and how long steps took beside it."""
        if step != self.newest and self._group.is_first:
            self._began = monotonic()
            with explaining_memory(NO_ROOM_FOR_STATE):
                self._writer.save(step, state | {"longest": self._longest})
        self.newest = step

    def settle(self) -> None:
        """Wait until all that was saved is on disk, in all processes, since the end of one may end the others."""
        self._writer.wait()
        self._announce()
        self._group.any(False)

    def _is_due(self) -> bool:
        """Say whether the first process's clock asks for a state.

        The first is due at once, so that a disk that is full or cannot be written to shows before hours are spent.
        """
        if not self._group.is_first or self._writer.busy:
            return False
        return self.newest is None or monotonic() - self._began >= self._interval

    def _needed_seconds(self) -> float:
        """Return the time that one more step, validation or not, and the save after it may take.

        A save may have to wait for the one before it, whose time is within that of the longest, so twice the longest
        is what it can take without taking longer than ever before; the same caution serves steps. The first step is
        not counted: it compiles, and fills caches. Until a life has saved, its save is taken to last as long as its
        load, and its steps as long as those of the life before. Of these it keeps the half, which with the caution is
        as long as ever, so that one that hung is forgotten within a few lives; and they count from its first step on.
        """
        now = monotonic()
        if self._decisions > 1:
            self._longest = max(self._longest, now - self._asked)
        step = self._longest if self._decisions else 0.0
        self._asked, self._decisions = now, self._decisions + 1
        return _CAUTION * (step + (self._writer.seconds or self._load_seconds))

    def _announce(self) -> None:
        if self.newest is not None and self.newest != self._announced and not self._writer.busy:
            self._writer.check()
            self._history.saved(self.newest)
            self._announced = self.newest

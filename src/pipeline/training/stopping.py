"""Why a run stops before its last step: somebody wants the machine, or the job's time is over."""

import signal
from contextlib import ExitStack
from enum import Enum
from threading import current_thread, main_thread
from time import monotonic, sleep
from types import FrameType
from typing import Self

from pipeline.training.deadline import Deadline

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# A signal that comes just before a wait begins does not end it (nor would an Event), so none may be long.
_NAP_SECONDS = 0.1


class Reason(Enum):
    """Say what ends a run early."""

    SIGNAL = "signal"
    """SIGTERM (preemption, `scancel`, a system going down), SIGINT (Ctrl-C) or SIGHUP (a terminal is closed)."""
    DEADLINE = "deadline"
    """The end of the job's time, as far as a state still has to be saved before it."""


class RunInterrupted(Exception):  # noqa: N818 - an end that was asked for is no error
    """Say after which step a run ended early, its state being saved, and why."""

    def __init__(self, step: int, reason: Reason, signalled: str | None = None) -> None:
        """Take the steps done and, where this process knows it, the name of the signal that came."""
        super().__init__(step, reason, signalled)
        self.step = step
        self.reason = reason
        self.signalled = signalled

    def __str__(self) -> str:
        return f"stopped after step {self.step} ({self.signalled or self.reason.value})"


class Interruptions:
    """Note SIGTERM, SIGINT and SIGHUP while the `with` block runs, so that the loop can end between two steps.

    They are noted and nothing else, but for a second SIGINT, which raises `KeyboardInterrupt` at once; one that is
    ignored, as SIGHUP is under nohup, stays so. Leaving the block puts the handlers back that were there before.
    Python lets only the main thread set handlers: entered in another one, or not entered at all, no signal is noted,
    each does what it did before, and only the deadline counts.
    """

    def __init__(self, deadline: Deadline | None = None) -> None:
        """Heed `deadline` as well, where there is one."""
        self.deadline = deadline
        self.signalled: str | None = None
        """Name of the first signal that came, such as `SIGTERM`."""
        self._interrupted = False
        self._handlers = ExitStack()

    def __enter__(self) -> Self:
        if current_thread() is main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if before != signal.SIG_IGN:
                    signal.signal(number, self._note)
                    # None stands for a handler that was not set by Python, and that Python cannot set again.
                    self._handlers.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.close()

    def reason(self, needed_seconds: float) -> Reason | None:
        """Return why the run has to stop now, None while it may go on; a signal counts before the deadline.

        `needed_seconds` is the time that one more step and saving the state take.
        """
        if self.signalled is not None:
            return Reason.SIGNAL
        if self.deadline is not None and self.deadline.is_within(needed_seconds):
            return Reason.DEADLINE
        return None

    def wait(self, seconds: float) -> bool:
        """Wait for a signal, at most `seconds`; say whether one has come."""
        until = monotonic() + seconds
        while self.signalled is None and monotonic() < until:
            sleep(min(_NAP_SECONDS, seconds))
        return self.signalled is not None

    def _note(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and self._interrupted:
            raise KeyboardInterrupt
        self._interrupted |= number == signal.SIGINT
        self.signalled = self.signalled or signal.Signals(number).name


NEVER = Interruptions()
"""No deadline and, unless somebody enters it, no signal."""

"""Saving without standing still: the loop waits for a copy in memory, and a thread writes it to the disk."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from types import TracebackType
from typing import Any, Self

from pipeline.training.snapshot import Snapshot
from pipeline.training.state import StateFolder

log = logging.getLogger(__name__)


class StateWriter:
    """Write states in the background, one at a time; leaving the `with` block waits for the last.

    A write that failed is raised by whichever of `check`, `save`, `wait` and `close` is called next: `UserError`
    for what the disk is to blame for.
    """

    def __init__(self, states: StateFolder) -> None:
        """Prepare to write to a folder; the first save makes the buffers."""
        self.seconds = 0.0
        """Time of the longest save so far, from the copy until it was on disk, seconds."""
        self._states = states
        self._snapshot = Snapshot()
        # Its thread is no daemon: a process that ends by an exception still writes what it has begun to.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="save")
        self._write: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._abandon()

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Copy the state after `step` steps and write it in the background, once the write before it is done.

        The state may change as soon as this returns. It costs the time of a copy within host memory, or over
        pinned memory from a GPU, and that of the write before it where that still goes on (see `busy`).
        """
        self.wait()
        began = monotonic()
        self._write = self._executor.submit(self._publish, step, self._snapshot.take(state), began)

    @property
    def busy(self) -> bool:
        """Tell whether a state is being written."""
        return self._write is not None and not self._write.done()

    def check(self) -> None:
        """Raise what the last write failed with, where it did; never waits."""
        if not self.busy:
            self.wait()

    def wait(self) -> None:
        """Wait until all that was saved is on disk."""
        if self._write is not None:
            try:
                self._write.result()
            finally:
                # An interrupt that ends the waiting does not end the write.
                if self._write.done():
                    self._write = None

    def close(self) -> None:
        """Wait for the last write and give thread and buffers back."""
        self._executor.shutdown()
        self._snapshot = Snapshot()
        self.wait()

    def _abandon(self) -> None:
        """Let the last write end, and log its failure: another exception is on its way to the user."""
        self._executor.shutdown()
        failure = self._write.exception() if self._write is not None else None
        if failure is not None:
            log.error("%s", failure)

    def _publish(self, step: int, snapshot: dict[str, Any], began: float) -> None:
        self._states.save(step, snapshot)
        self.seconds = max(self.seconds, monotonic() - began)

"""How far a long job is: a live line on a terminal, else a line in the log now and then."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger(__name__)

LINE_SECONDS = 30.0
"""Time between two lines of the log where there is no terminal."""

LIVE_SECONDS = 0.5
"""Time between two states of the live line."""


class Progress:
    """Count what a job has done and tell it from time to time; leaving the `with` block tells what it came to.

    `advance` and `tell` may be called from several threads, and take less than a microsecond while nothing is due.
    """

    def __init__(self, what: str, total: int, unit: str = "images") -> None:
        """Prepare to count `total` units of the job that is called `what` in the log."""
        self.what = what
        self.total = total
        self.unit = unit
        self.done = 0
        self.waited = 0.0
        self._facts: dict[str, str] = {}
        self._lock = Lock()
        self._live: _LiveLine | None = None
        self._began = self._due = 0.0

    def __enter__(self) -> Self:
        self._live = _live_line()
        self._began = monotonic()
        self._due = self._began + self._interval
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.end()
        with self._lock:
            log.info("%s", self._line(monotonic()))

    def advance(self, count: int, waited: float = 0.0) -> None:
        """Count units that are done, and the seconds that the job waited for their data."""
        with self._lock:
            self.done += count
            self.waited += waited
            now = monotonic()
            if now >= self._due:
                self._due = now + self._interval
                self._show(self._line(now))

    def tell(self, **facts: str) -> None:
        """Show named facts in the line from now on, as in `tell(loss="0.1234")`, in the order in which they first came.

        A name that was told before takes its new value. The line is drawn when it is due, so this costs little.
        """
        with self._lock:
            self._facts.update(facts)

    @property
    def _interval(self) -> float:
        return LIVE_SECONDS if self._live else LINE_SECONDS

    def _show(self, line: str) -> None:
        if self._live:
            self._live.show(line)
        else:
            log.info("%s", line)

    def _line(self, now: float) -> str:
        """Return the state in one line; the rate is that since the beginning, from which the time left follows."""
        seconds = max(now - self._began, 1e-9)
        rate = self.done / seconds
        parts = [f"{self.what}: {self.done:,}/{self.total:,} {self.unit}", f"{_readable(rate)} {self.unit}/s"]
        if self.waited:
            parts.append(f"data wait {100 * self.waited / seconds:.0f} %")
        parts += [f"{name} {value}" for name, value in self._facts.items()]
        if 0 < self.done < self.total:
            parts.append(f"{timedelta(seconds=round((self.total - self.done) / rate))} left")
        return ", ".join(parts)


def _readable(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"


def _live_line() -> _LiveLine | None:
    """Return a live line where messages go to a terminal that can show one; rich may lack on a GPU image."""
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(file=sys.stderr)
    return None if console.is_dumb_terminal else _LiveLine(console)


class _LiveLine(logging.Handler):
    """Draw one line over and over, and make room for each line that the pipeline logs in between.

    rich's own live display leaves the cursor behind the line, where the lines of other jobs on the same
    terminal would be glued to it; here it waits at the line's beginning, and they replace it.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        # Handlers of this logger are called before those of the root, which write to the terminal.
        logging.getLogger("pipeline").addHandler(self)

    def show(self, line: str) -> None:
        """Replace the line."""
        with self._console:
            self._erase()
            self._console.print(line, end="\r", no_wrap=True, overflow="ellipsis", highlight=False, markup=False)

    def emit(self, record: logging.LogRecord) -> None:
        """Erase the line, since a log line takes its place."""
        self._erase()

    def end(self) -> None:
        """Erase the line for good."""
        logging.getLogger("pipeline").removeHandler(self)
        self._erase()

    def _erase(self) -> None:
        from rich.control import Control
        from rich.segment import ControlType

        self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))

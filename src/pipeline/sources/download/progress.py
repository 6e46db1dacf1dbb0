"""Report how far a download is: a bar on a terminal, else a line now and then; never a file's name."""

import logging
import sys
from threading import Lock
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from pipeline.records.sizes import readable_bytes
from pipeline.sources.download.policy import Clock, TransferPolicy

log = logging.getLogger("pipeline.sources.download")


class Progress:
    """Count files and bytes from several threads."""

    def __init__(self, files: tuple[int, int], size: tuple[int, int], clock: Clock) -> None:
        """Start from (done, total) of files and of bytes; the total of bytes is an estimate."""
        self.files_done, self.files_total = files
        self.bytes_done, self.bytes_total = size
        self.retries = 0
        self._clock, self._lock = clock, Lock()
        self._began, self._bytes_before = clock.now(), self.bytes_done

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def add_bytes(self, count: int) -> None:
        """Count bytes that came, or with a minus sign that were thrown away."""
        with self._lock:
            self.bytes_done += count
            self._show()

    def add_file(self) -> None:
        """Count a file that is verified and in place."""
        with self._lock:
            self.files_done += 1
            self._show()

    def add_retry(self) -> None:
        """Count a failure that is tried again."""
        with self._lock:
            self.retries += 1
            self._show()

    def share(self) -> float:
        """Return the share of the bytes that is done, at most 1."""
        return min(1.0, self.bytes_done / self.bytes_total) if self.bytes_total else 1.0

    def line(self) -> str:
        """Return the state in one line: files, bytes, rate, time to go."""
        total = max(self.bytes_total, self.bytes_done)
        rate = max(0.0, (self.bytes_done - self._bytes_before) / max(1.0, self._clock.now() - self._began))
        left = f", about {_readable_time((total - self.bytes_done) / rate)} to go" if rate > 0 else ""
        retried = f", retries: {self.retries}" if self.retries else ""
        return (
            f"{self.files_done:,} of {self.files_total:,} files, {readable_bytes(self.bytes_done)} of about "
            f"{readable_bytes(total)}, {readable_bytes(rate)}/s{left}{retried}"
        )

    def _show(self) -> None:
        """Bring what the user sees up to date; called with the lock held."""

    def _end(self) -> None:
        """Leave the last state for the user to see."""


class LogProgress(Progress):
    """Write a line to the log after some time, or after some share of the bytes."""

    def __init__(self, files: tuple[int, int], size: tuple[int, int], clock: Clock, policy: TransferPolicy) -> None:
        super().__init__(files, size, clock)
        self._policy = policy
        self._shown_at, self._shown_share = clock.now(), self.share()

    def _show(self) -> None:
        late = self._clock.now() - self._shown_at >= self._policy.report_seconds
        if late or self.share() - self._shown_share >= self._policy.report_share:
            self._shown_at, self._shown_share = self._clock.now(), self.share()
            log.info("%s", self.line())

    def _end(self) -> None:
        log.info("%s", self.line())


class BarProgress(Progress):
    """Draw a bar on the terminal."""

    def __init__(self, files: tuple[int, int], size: tuple[int, int], clock: Clock, console: Console) -> None:
        super().__init__(files, size, clock)
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bars = Bars(TextColumn("{task.description}"), *columns, console=console)
        self._task = self._bars.add_task(self._counts(), total=self.bytes_total, completed=self.bytes_done)
        self._bars.start()

    def _show(self) -> None:
        total = max(self.bytes_total, self.bytes_done)
        self._bars.update(self._task, description=self._counts(), completed=self.bytes_done, total=total)

    def _end(self) -> None:
        self._bars.stop()

    def _counts(self) -> str:
        return f"{self.files_done:,}/{self.files_total:,} files"


def report_progress(
    files: tuple[int, int], size: tuple[int, int], clock: Clock, policy: TransferPolicy, console: Console | None = None
) -> Progress:
    """Return the kind of report that suits where the messages go: by default, the standard error stream."""
    console = console or Console(file=sys.stderr)
    return BarProgress(files, size, clock, console) if console.is_terminal else LogProgress(files, size, clock, policy)


def _readable_time(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {int(seconds % 60)} s"

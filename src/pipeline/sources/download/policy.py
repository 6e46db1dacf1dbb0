"""How patient a download is, and the clock it waits by."""

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class TransferPolicy:
    """Hold every number of a transfer that is a matter of judgement; times in seconds, sizes in bytes."""

    attempts: int = 10
    """Failures of one file in a row, without a new byte between them, before the download stops."""
    patience: float = 3600.0
    """Longest time that one file may pass without a new byte, waits included."""
    first_wait: float = 1.0
    """Wait after the first failure; it doubles with each further one."""
    longest_wait: float = 120.0
    """Wait that the doubling ends at; a publisher who asks for longer is obeyed within `patience`."""
    timeout: float = 60.0
    """Silence of the network that counts as a failure."""
    bodies: int = 3
    """Times a file is fetched whole whose bytes do not match the checksum list."""
    block: int = 1 << 18
    """Bytes read, hashed and written at a time."""
    disk_margin: float = 0.05
    """Free space asked for beyond what is still to come, as a share of it."""
    report_seconds: float = 30.0
    """Time between two lines of progress where there is no terminal."""
    report_share: float = 0.05
    """Share of the bytes between two lines of progress where there is no terminal."""


class Stopped(Exception):  # noqa: N818
    """End a worker whose download was stopped by another worker's failure or by the user."""


class Clock:
    """Tell the time, and wait in a way that a stop ends early."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    def today(self) -> float:
        """Return seconds since 1970, for dates that a server names."""
        return time.time()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let time pass. Raises `Stopped` as soon as `stop` is set."""
        if stop.wait(seconds):
            raise Stopped

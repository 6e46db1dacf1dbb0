import io
import logging
import re

import pytest
from fake_publisher import POLICY, QuickClock
from rich.console import Console

from pipeline.sources.download.progress import BarProgress, LogProgress, report_progress

GIGABYTE = 10**9


def lines_of(caplog: pytest.LogCaptureFixture, seconds: float, blocks: int) -> list[str]:
    """Receive a gigabyte in so many blocks, each of which takes so long; return what the log says meanwhile."""
    clock = QuickClock()
    with caplog.at_level(logging.INFO):
        progress = report_progress((10, 12), (GIGABYTE, 2 * GIGABYTE), clock, POLICY, Console(file=io.StringIO()))
        assert isinstance(progress, LogProgress)
        with progress:
            for _ in range(blocks):
                clock.passed += seconds
                progress.add_bytes(GIGABYTE // blocks)
            progress.add_file()
    return caplog.messages


def test_without_a_terminal_a_line_comes_every_five_percent(caplog: pytest.LogCaptureFixture) -> None:
    lines = lines_of(caplog, seconds=0.01, blocks=1000)
    assert 10 <= len(lines) <= 11  # the last step may be that of the end
    assert lines[0].startswith("10 of 12 files, 1.1 GB of about 2.0 GB")


def test_without_a_terminal_a_line_comes_every_thirty_seconds(caplog: pytest.LogCaptureFixture) -> None:
    lines = lines_of(caplog, seconds=10, blocks=1000)
    assert 333 <= len(lines) <= 345
    assert lines[2] == "10 of 12 files, 1.0 GB of about 2.0 GB, 100.0 kB/s, about 2 h 45 min to go"
    assert re.fullmatch(r"11 of 12 files, 2.0 GB of about 2.0 GB, 100.0 kB/s, about 0 min 0 s to go", lines[-1])


def test_failures_and_discarded_bytes_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = QuickClock()
    with caplog.at_level(logging.INFO), LogProgress((0, 2), (0, 100), clock, POLICY) as progress:
        progress.add_bytes(3)
        progress.add_bytes(-3)
        progress.add_retry()
    assert caplog.messages == ["0 of 2 files, 0 B of about 100 B, 0 B/s, retries: 1"]


def test_on_a_terminal_there_is_a_bar() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    progress = report_progress((0, 2), (0, 100), QuickClock(), POLICY, console)
    assert isinstance(progress, BarProgress)
    with progress:
        progress.add_bytes(100)
        progress.add_file()
    assert "1/2 files" in screen.getvalue()

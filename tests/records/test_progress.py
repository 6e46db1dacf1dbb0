"""Progress: a line now and then, totals at the end, and a live line that leaves the log's lines alone."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.records import progress as progress_module
from pipeline.records.logs import rule_log
from pipeline.records.progress import LINE_SECONDS, LIVE_SECONDS, Progress


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal:
    """A terminal of 80 columns that standard error goes to."""

    def __init__(self) -> None:
        self.reading, writing = os.openpty()
        self.stream = os.fdopen(writing, "w")

    def lines(self) -> list[str]:
        """Return the screen's lines after all that was written to it."""
        print("\a", end="", file=self.stream, flush=True)
        written = ""
        while not written.endswith("\a"):
            written += os.read(self.reading, 65536).decode()
        screen, column = [""], 0
        for piece in written.rstrip("\a").replace("\x1b[2K", "\x00").replace("\r\n", "\n"):
            if piece == "\n":
                screen, column = [*screen, ""], 0
            elif piece == "\r":
                column = 0
            elif piece == "\x00":
                screen[-1] = " " * column
            else:
                screen[-1] = screen[-1][:column] + piece + screen[-1][column + 1 :]
                column += 1
        return screen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(progress_module, "monotonic", moved)
    return moved


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    shown = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    yield shown
    shown.stream.close()
    os.close(shown.reading)


def test_without_a_terminal_the_log_has_a_line_per_interval_and_one_at_the_end(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipeline")
    seconds = LINE_SECONDS / 128
    with Progress("training", 51_200) as progress:
        for _ in range(384):
            clock.now += seconds
            progress.advance(100, waited=seconds / 4)
    assert caplog.messages == [
        "training: 12,800/51,200 images, 427 images/s, data wait 25 %, 0:01:30 left",
        "training: 25,600/51,200 images, 427 images/s, data wait 25 %, 0:01:00 left",
        "training: 38,400/51,200 images, 427 images/s, data wait 25 %, 0:00:30 left",
        "training: 38,400/51,200 images, 427 images/s, data wait 25 %, 0:00:30 left",
    ]


def test_a_job_that_never_waited_says_nothing_of_it_and_counts_in_its_own_unit(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipeline")
    with Progress("writing shards", 3, unit="shards") as progress:
        clock.now += 12
        progress.advance(3)
    assert caplog.messages == ["writing shards: 3/3 shards, 0.25 shards/s"]


def test_a_job_that_fails_says_how_far_it_came(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipeline")
    with contextlib.suppress(KeyError), Progress("training", 10) as progress:
        clock.now += 1
        progress.advance(2)
        raise KeyError
    assert caplog.messages == ["training: 2/10 images, 2.00 images/s, 0:00:04 left"]


def test_facts_are_shown_from_then_on_in_the_order_in_which_they_first_came(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipeline")
    with Progress("training", 400) as progress:
        for loss in ("0.5000", "0.2500"):
            progress.tell(loss=loss, MFU="31 %")
            progress.tell(memory="3.1 GB")
            clock.now += LINE_SECONDS
            progress.advance(100, waited=3)
    assert caplog.messages[:2] == [
        "training: 100/400 images, 3.33 images/s, data wait 10 %, loss 0.5000, MFU 31 %, memory 3.1 GB, 0:01:30 left",
        "training: 200/400 images, 3.33 images/s, data wait 10 %, loss 0.2500, MFU 31 %, memory 3.1 GB, 0:01:00 left",
    ]


def test_facts_may_be_told_while_another_thread_counts(clock: Clock) -> None:
    def tell() -> None:
        for number in range(500):
            progress.tell(**{f"fact{number}": "new"})

    def count() -> None:
        for _ in range(500):
            clock.now += LINE_SECONDS
            progress.advance(1)

    with Progress("training", 1000) as progress, ThreadPoolExecutor() as threads:
        acting = [threads.submit(act) for act in (tell, count, tell, count)]
    assert not any(act.exception() for act in acting)
    assert progress.done == 1000


def test_threads_may_count_together() -> None:
    with Progress("decoding", 8000) as progress:
        threads = [threading.Thread(target=lambda: [progress.advance(1) for _ in range(1000)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert progress.done == 8000


def test_on_a_terminal_one_line_is_drawn_over_and_over_and_log_lines_stand_alone(
    clock: Clock, terminal: Terminal, tmp_path: Path
) -> None:
    with contextlib.redirect_stderr(terminal.stream), rule_log(str(tmp_path / "rule.log")) as log:
        with Progress("training", 100) as progress:
            for step in range(4):
                clock.now += LIVE_SECONDS
                progress.advance(10)
                if step == 2:
                    log.info("step 3")
            shown = terminal.lines()
        assert [line.strip() for line in shown] == [
            "step 3",
            "training: 40/100 images, 20 images/s, 0:00:03 left",
        ]
    assert [line.strip() for line in terminal.lines()] == ["training: 40/100 images, 20 images/s, 0:00:03 left", ""]
    assert "\x1b" not in (tmp_path / "rule.log").read_text()


def test_a_line_of_another_job_replaces_the_live_line(clock: Clock, terminal: Terminal) -> None:
    with contextlib.redirect_stderr(terminal.stream), Progress("training", 100) as progress:
        clock.now += LIVE_SECONDS
        progress.advance(10)
        terminal.stream.write("x" * 80 + "\n")
        terminal.stream.flush()
        clock.now += LIVE_SECONDS
        progress.advance(10)
        shown = terminal.lines()
    assert shown[0] == "x" * 80
    assert shown[1].startswith("training: 20/100")


def test_a_live_line_is_cut_where_the_terminal_ends(clock: Clock, terminal: Terminal) -> None:
    with contextlib.redirect_stderr(terminal.stream), Progress("very long " * 20, 100) as progress:
        clock.now += LIVE_SECONDS
        progress.advance(10)
        shown = terminal.lines()
    assert len(shown) == 1
    assert len(shown[0]) == 80


@pytest.mark.parametrize("lacking", ["rich", "capabilities"])
def test_a_terminal_that_cannot_have_a_live_line_gets_plain_lines(
    clock: Clock,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    lacking: str,
) -> None:
    caplog.set_level(logging.INFO, "pipeline")
    if lacking == "rich":
        monkeypatch.setitem(sys.modules, "rich.console", None)
    else:
        monkeypatch.setenv("TERM", "dumb")
    with contextlib.redirect_stderr(terminal.stream), Progress("training", 100) as progress:
        clock.now += LINE_SECONDS
        progress.advance(50)
        terminal.stream.write("nothing else\n")
        terminal.stream.flush()
        assert terminal.lines() == ["nothing else", ""]
    assert len(caplog.messages) == 2

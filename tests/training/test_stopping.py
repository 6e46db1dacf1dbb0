import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from time import monotonic

import pytest

from pipeline.training.deadline import Deadline
from pipeline.training.stopping import NEVER, Interruptions, Reason, RunInterrupted

# Says that it is ready, then does as the loop does: asks between two steps, and ends when there is a reason.
TRAINING = """
import sys
from pipeline.training.stopping import Interruptions
with Interruptions() as interruptions:
    print("ready", flush=True)
    while interruptions.reason(0.0) is None:
        pass
    print(interruptions.signalled, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def training() -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", TRAINING], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert said(process) == "ready"
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_loop_between_two_steps_and_the_process_lives_on(
    training: subprocess.Popen[str], number: signal.Signals
) -> None:
    training.send_signal(number)
    assert said(training) == number.name
    assert training.communicate("\n", timeout=60)[1] == ""
    assert training.returncode == 0


def test_a_second_ctrl_c_ends_the_process_at_once(training: subprocess.Popen[str]) -> None:
    training.send_signal(signal.SIGINT)
    assert said(training) == "SIGINT"
    training.send_signal(signal.SIGINT)
    assert training.wait(timeout=60) == -signal.SIGINT
    assert training.stderr is not None
    assert "KeyboardInterrupt" in training.stderr.read()


def test_a_second_sigterm_does_not_keep_the_state_from_being_saved(training: subprocess.Popen[str]) -> None:
    training.send_signal(signal.SIGTERM)
    assert said(training) == "SIGTERM"
    training.send_signal(signal.SIGTERM)
    training.communicate("\n", timeout=60)
    assert training.returncode == 0


def test_ctrl_c_after_sigterm_still_saves_and_the_first_signal_is_named() -> None:
    with Interruptions() as interruptions:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert interruptions.signalled == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_of_before_are_back_afterwards() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with suppress(RunInterrupted), Interruptions() as interruptions:
            signal.raise_signal(signal.SIGTERM)
            raise RunInterrupted(3, Reason.SIGNAL)
        assert (interruptions.signalled, seen) == ("SIGTERM", [])
        signal.raise_signal(signal.SIGTERM)
        assert seen == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruptions() as interruptions:
            signal.raise_signal(signal.SIGHUP)
            assert interruptions.reason(0.0) is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_within_an_inner_block_is_for_that_block() -> None:
    with Interruptions() as outer:
        with Interruptions() as inner:
            signal.raise_signal(signal.SIGTERM)
        assert (inner.signalled, outer.signalled) == ("SIGTERM", None)
        signal.raise_signal(signal.SIGTERM)
        assert outer.signalled == "SIGTERM"


def test_another_thread_than_the_main_one_has_the_deadline_only() -> None:
    before, found = signal.getsignal(signal.SIGTERM), list[Reason | None]()

    def train() -> None:
        with Interruptions(Deadline(monotonic())) as interruptions:
            found.extend([interruptions.reason(0.0), Reason.SIGNAL if interruptions.signalled else None])
            assert signal.getsignal(signal.SIGTERM) is before

    thread = Thread(target=train)
    thread.start()
    thread.join()
    assert found == [Reason.DEADLINE, None]


def test_a_deadline_stops_a_run_that_cannot_save_after_one_more_step() -> None:
    interruptions = Interruptions(Deadline(1100.0, clock=lambda: 1000.0))
    assert interruptions.reason(79.0) is None
    assert interruptions.reason(80.0) is Reason.DEADLINE


def test_a_signal_counts_before_the_deadline() -> None:
    with Interruptions(Deadline(monotonic())) as interruptions:
        signal.raise_signal(signal.SIGTERM)
        assert interruptions.reason(0.0) is Reason.SIGNAL


def test_without_deadline_and_signals_nothing_stops_a_run() -> None:
    assert NEVER.reason(1e9) is None


def test_a_wait_ends_with_its_time_or_with_a_signal_whenever_that_comes() -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    began = monotonic()
    try:
        # Before, at and after the beginning of the wait.
        for delay in (1e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2) * 3:
            with Interruptions() as interruptions:
                assert not interruptions.wait(0.0)
                signal.setitimer(signal.ITIMER_REAL, delay)
                assert interruptions.wait(60.0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert monotonic() - began < 60.0


def test_an_interrupted_run_says_after_which_step_also_where_another_process_reads_it() -> None:
    interrupted = pickle.loads(pickle.dumps(RunInterrupted(7, Reason.SIGNAL, "SIGTERM")))  # noqa: S301
    assert (interrupted.step, interrupted.reason, interrupted.signalled) == (7, Reason.SIGNAL, "SIGTERM")
    assert str(interrupted) == "stopped after step 7 (SIGTERM)"
    assert str(RunInterrupted(7, Reason.DEADLINE)) == "stopped after step 7 (deadline)"

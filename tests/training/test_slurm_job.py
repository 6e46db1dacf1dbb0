import logging
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, time

import pytest

from pipeline.records.errors import UserError
from pipeline.settings.hardware import Hardware
from pipeline.training import slurm
from pipeline.training.slurm import SlurmJob, find_deadline, hand_back
from pipeline.training.stopping import Reason, RunInterrupted

# What SLURM 22.05 says, word for word.
UNKNOWN_JOB = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
NO_REQUEUE = "echo 'Requested operation is presently disabled for job 7' >&2; exit 1"

Command = Callable[[str, str], None]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return what puts a command with a given script on the path; the file `calls` lists how it was called."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "_ANSWER_SECONDS", 120.0)  # a loaded machine may take long to start a shell

    def add(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n{script}\n')
        path.chmod(0o755)

    return add


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> SlurmJob:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    current = SlurmJob.current()
    assert current is not None
    return current


def test_the_job_is_that_of_the_environment(job: SlurmJob, monkeypatch: pytest.MonkeyPatch) -> None:
    assert job == SlurmJob("7")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "6")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    assert SlurmJob.current() == SlurmJob("6_2")
    monkeypatch.delenv("SLURM_JOB_ID")
    assert SlurmJob.current() is None


@pytest.mark.parametrize(
    ("left", "seconds"),
    [("0:00", 0), ("0:57", 57), ("59:58", 3598), ("1:00:01", 3601), ("2-03:04:05", 183845), ("UNLIMITED", math.inf)],
)
def test_the_end_is_as_far_away_as_slurm_says(
    job: SlurmJob, command: Command, tmp_path: Path, left: str, seconds: float
) -> None:
    command("squeue", f"echo {left}")
    before = monotonic()
    ends = job.ends_at()
    assert ends is not None
    assert before + seconds <= ends <= monotonic() + seconds
    assert (tmp_path / "calls").read_text() == "squeue --noheader --states=all --format=%L --jobs=7\n"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (UNKNOWN_JOB, "squeue: slurm_load_jobs error: Invalid job id specified"),
        ("exit 3", "squeue: exit status 3"),
        ("echo INVALID", "squeue tells 'INVALID' as time left"),
        ("true", "squeue tells '' as time left"),
    ],
)
def test_where_slurm_does_not_answer_the_log_says_why_and_the_promised_runtime_counts(
    job: SlurmJob, command: Command, caplog: pytest.LogCaptureFixture, script: str, why: str
) -> None:
    command("squeue", script)
    with caplog.at_level(logging.INFO, "pipeline"):
        deadline = find_deadline(Hardware(threads=1, runtime_minutes=30), started=100.0)
    assert deadline is not None
    assert deadline.ends == 1900.0
    assert caplog.messages == [f"SLURM does not say when job {job.id} ends: {why}"]


def test_a_step_does_not_wait_long_for_a_controller_that_hangs(
    job: SlurmJob, command: Command, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(slurm, "_ANSWER_SECONDS", 0.2)
    command("squeue", "exec sleep 600")
    with caplog.at_level(logging.INFO, "pipeline"):
        assert job.ends_at() is None
    assert caplog.messages == ["SLURM does not say when job 7 ends: squeue took longer than 0.2 s"]


def test_without_answer_and_promise_no_end_is_near(job: SlurmJob, command: Command) -> None:
    command("squeue", UNKNOWN_JOB)
    deadline = find_deadline(Hardware(threads=1), monotonic())
    assert deadline is not None
    assert not deadline.is_within(1e9)


@pytest.mark.usefixtures("job")
def test_a_machine_without_slurms_commands_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with caplog.at_level(logging.INFO, "pipeline"):
        assert find_deadline(Hardware(threads=1), 0.0) is not None
    assert caplog.messages == ["SLURM does not say when job 7 ends: squeue: No such file or directory"]


@pytest.mark.usefixtures("job")
def test_what_slurm_says_counts_more_than_the_promise(command: Command) -> None:
    command("squeue", "echo 10:00")
    deadline = find_deadline(Hardware(threads=1, runtime_minutes=1), monotonic())
    assert deadline is not None
    assert not deadline.is_within(300.0)
    assert deadline.is_within(600.0)


@pytest.mark.usefixtures("job")
def test_where_slurm_does_not_answer_the_end_that_it_set_counts_more_than_the_promise(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("squeue", UNKNOWN_JOB)
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time()) + 1000))
    before = monotonic()
    deadline = find_deadline(Hardware(threads=1, runtime_minutes=1), before)
    assert deadline is not None
    # SLURM's time is cut to whole seconds.
    assert before + 998 <= deadline.ends <= monotonic() + 1001


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("end", ["", "Unknown"])
def test_an_end_that_is_no_time_is_none(command: Command, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    command("squeue", UNKNOWN_JOB)
    monkeypatch.setenv("SLURM_JOB_END_TIME", end)
    deadline = find_deadline(Hardware(threads=1, runtime_minutes=30), started=100.0)
    assert deadline is not None
    assert deadline.ends == 1900.0


def test_outside_of_slurm_there_is_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert find_deadline(Hardware(threads=1, runtime_minutes=1), 0.0) is None


def test_at_its_deadline_a_job_is_queued_again_and_waits_for_slurm_to_end_it(
    job: SlurmJob, command: Command, tmp_path: Path
) -> None:
    # SLURM's signal comes at once, even before the command has ended.
    command("scontrol", "kill -TERM $PPID")
    began = monotonic()
    with pytest.raises(UserError, match=r"job 7 is over; the state after step 12 is saved, .* is in the queue again"):
        hand_back(RunInterrupted(12, Reason.DEADLINE), is_first=True, did_steps=True)
    assert monotonic() - began < slurm._SIGNAL_SECONDS
    assert (tmp_path / "calls").read_text() == "scontrol requeue 7\n"


def test_a_signal_that_never_comes_is_not_waited_for_for_ever(
    job: SlurmJob, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "_SIGNAL_SECONDS", 0.01)
    command("scontrol", "true")
    with pytest.raises(UserError, match="in the queue again"):
        hand_back(RunInterrupted(12, Reason.DEADLINE), is_first=True, did_steps=True)


def test_a_refusal_says_what_slurm_says_and_that_the_next_try_continues(job: SlurmJob, command: Command) -> None:
    command("scontrol", NO_REQUEUE)
    with pytest.raises(
        UserError, match=r"presently disabled for job 7\), so its next try continues .* --requeue .* or set retries"
    ):
        hand_back(RunInterrupted(12, Reason.DEADLINE), is_first=True, did_steps=True)


def test_a_job_that_does_no_step_in_its_time_is_not_queued_for_ever(
    job: SlurmJob, command: Command, tmp_path: Path
) -> None:
    command("scontrol", "true")
    with pytest.raises(UserError, match=r"no time for a single step of training after step 12; raise runtime"):
        hand_back(RunInterrupted(12, Reason.DEADLINE), is_first=True, did_steps=False)
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("did_steps", [True, False])
def test_a_signal_ends_a_try_with_what_was_saved_and_how_to_go_on(
    job: SlurmJob, command: Command, tmp_path: Path, did_steps: bool
) -> None:
    # A job that is preempted is queued again by SLURM itself.
    command("scontrol", "true")
    with pytest.raises(UserError, match=r"stopped by SIGINT after step 12; its state is saved, and the same command"):
        hand_back(RunInterrupted(12, Reason.SIGNAL, "SIGINT"), is_first=True, did_steps=did_steps)
    assert not (tmp_path / "calls").exists()


def test_what_another_process_was_told_has_no_name_here() -> None:
    with pytest.raises(UserError, match="stopped by a signal after step 12"):
        hand_back(RunInterrupted(12, Reason.SIGNAL), is_first=True, did_steps=True)


@pytest.mark.usefixtures("job")
def test_the_other_processes_wait_until_the_job_is_ended(command: Command, tmp_path: Path) -> None:
    command("scontrol", "true")
    unheeded, ended = signal.getsignal(signal.SIGTERM), list[float]()

    def end_job(*_: object) -> None:
        # Not before somebody waits for it: it would end the tests.
        if signal.getsignal(signal.SIGTERM) != unheeded:
            ended.append(monotonic())
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGALRM, end_job)
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)
    try:
        with pytest.raises(UserError, match="stopped by the end of its time after step 12; its state is saved"):
            hand_back(RunInterrupted(12, Reason.DEADLINE), is_first=False, did_steps=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert monotonic() - ended[0] < slurm._SIGNAL_SECONDS
    assert not (tmp_path / "calls").exists()


def test_a_deadline_without_a_job_ends_the_try_as_a_signal_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(UserError, match="stopped by the end of its time after step 12; its state is saved"):
        hand_back(RunInterrupted(12, Reason.DEADLINE), is_first=True, did_steps=True)

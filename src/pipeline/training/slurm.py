"""The SLURM job that a process runs in: how long it may run, and giving it back to the queue."""

import logging
import math
import os
import re
import subprocess
from dataclasses import dataclass
from time import monotonic, time
from typing import NoReturn, Self

from pipeline.records.errors import UserError
from pipeline.settings.hardware import Hardware
from pipeline.training.deadline import Deadline
from pipeline.training.stopping import Interruptions, Reason, RunInterrupted

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 5.0
_REQUEUE_SECONDS = 60.0
_SIGNAL_SECONDS = 180.0
_TIME_LEFT = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")


@dataclass(frozen=True)
class SlurmJob:
    """Ask SLURM about one job, and for it, by the commands that every cluster has."""

    id: str
    """What `squeue` calls it."""

    @classmethod
    def current(cls) -> Self | None:
        """Return the job, or the task of an array of jobs, that this process runs in; None outside of SLURM."""
        job = os.environ.get("SLURM_JOB_ID")
        array, task = (os.environ.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
        # SLURM_JOB_ID alone would name the whole array in one of its tasks.
        return cls(f"{array}_{task}" if array and task else job) if job else None

    def ends_at(self) -> float | None:
        """Return when the job's time is over, in seconds of the monotonic clock, infinite where it has no limit.

        Answers after 5 s at most; where SLURM does not, None is returned and the log says why. The time left is asked
        for, since an end by the calendar would need the time zone and the clock of the controller.
        """
        asked = monotonic()
        try:
            answer = _run(("squeue", "--noheader", "--states=all", "--format=%L", f"--jobs={self.id}"), _ANSWER_SECONDS)
            return asked + _seconds(answer)
        except _CommandError as error:
            log.info("SLURM does not say when job %s ends: %s", self.id, error)
            return None

    def requeue(self) -> None:
        """Have SLURM end the job and start it again later, as the same job.

        Raises:
            UserError: SLURM refuses, as it does for a job that was submitted with `--no-requeue`.
        """
        try:
            _run(("scontrol", "requeue", self.id), _REQUEUE_SECONDS)
        except _CommandError as error:
            raise UserError(
                f"the time of SLURM job {self.id} is over and SLURM does not queue it again ({error}), so its next try "
                "continues from the saved state: submit with --requeue (slurm-requeue in the profile) or set retries"
            ) from error


def find_deadline(hardware: Hardware, started: float) -> Deadline | None:
    """Return when the SLURM job's time is over; None outside of SLURM, where nothing ends a job for its time.

    Where SLURM does not answer, as inside a container without its commands, what it set as the job's end when it
    started the job counts, and where it set none, `runtime_minutes` from `started` on, in seconds of the monotonic
    clock.
    """
    job = SlurmJob.current()
    if job is None:
        return None
    ends = job.ends_at()
    if ends is None:
        ends = _end_set_at_start()
    if ends is None:
        ends = math.inf if hardware.runtime_minutes is None else started + 60 * hardware.runtime_minutes
    return Deadline(ends, job.ends_at)


def hand_back(interrupted: RunInterrupted, is_first: bool, did_steps: bool) -> NoReturn:
    """End this try of a run whose state is saved: at its SLURM job's deadline queue the job again, else fail.

    To be called in all processes of the run. The first queues the job; the others wait with it, since the end of one
    would end it before it has. Where `did_steps` says that this try got no further than the one before, the job is not
    queued again, since that would go on for ever.

    Raises:
        UserError: In any case; it says what stopped the run and how it goes on.
    """
    job = SlurmJob.current()
    if interrupted.reason is Reason.DEADLINE and job is not None:
        if not did_steps:
            raise UserError(
                f"SLURM job {job.id} has no time for a single step of training after step {interrupted.step}; raise "
                "runtime of the rule in the profile"
            )
        _await_end(job, queues=is_first)
        if is_first:
            raise UserError(
                f"the time of SLURM job {job.id} is over; the state after step {interrupted.step} is saved, and the "
                "job is in the queue again to continue from it"
            )
    raise UserError(
        f"training was stopped by {_cause(interrupted)} after step {interrupted.step}; its state is saved, and the "
        "same command continues from it"
    )


def _end_set_at_start() -> float | None:
    """Return the end of the job that newer versions of SLURM set, in seconds of the monotonic clock."""
    ends = os.environ.get("SLURM_JOB_END_TIME", "")
    # By the calendar, so as right as this node's clock.
    return monotonic() + int(ends) - time() if ends.isdecimal() else None


def _await_end(job: SlurmJob, queues: bool) -> None:
    """Wait for SLURM to end this process, since one that ends by itself would count as a failed try."""
    with Interruptions() as interruptions:
        if queues:
            job.requeue()
            log.info("SLURM job %s is in the queue again; waiting for SLURM to end this try", job.id)
        interruptions.wait(_SIGNAL_SECONDS)


def _cause(interrupted: RunInterrupted) -> str:
    if interrupted.reason is Reason.DEADLINE:
        return "the end of its time"
    return interrupted.signalled or "a signal"


class _CommandError(Exception):
    """Say why a command gave no answer."""


def _run(command: tuple[str, ...], seconds: float) -> str:
    """Return what a command prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise _CommandError(f"{command[0]} took longer than {seconds:g} s") from error
    except OSError as error:
        raise _CommandError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise _CommandError(f"{command[0]}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout.strip()


def _seconds(time_left: str) -> float:
    """Return the seconds of SLURM's `[[days-]hours:]minutes:seconds`."""
    if time_left == "UNLIMITED":
        return math.inf
    found = _TIME_LEFT.fullmatch(time_left)
    if found is None:
        raise _CommandError(f"squeue tells {time_left!r} as time left")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds

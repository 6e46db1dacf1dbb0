"""A SLURM cluster of the test's own, asked and disturbed by SLURM's own commands."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from time import monotonic, sleep

import psutil
import pytest

SCRIPT = Path(__file__).with_name("slurm.sh")
PORTS = 20
CANNOT_RUN = 3


@dataclass(frozen=True)
class Job:
    """One line of `squeue`."""

    id: str
    state: str
    reason: str
    node: str
    comment: str
    """What Snakemake notes of the rule and its wildcards."""


@dataclass(frozen=True)
class Try:
    """One line of `sacct --duplicates`: a job that is queued again has a line for each time it ran."""

    job: str
    state: str
    comment: str


class PrivateSlurm:
    """Ask a cluster, and do to it what happens to clusters."""

    def __init__(self, folder: Path, port: int, gpus: Sequence[int]) -> None:
        """Lay it out in `folder`, with a node `n1`, `n2`... for each number of GPUs."""
        self.folder = folder
        self.environment = {
            "CLUSTER": str(folder),  # all that SLURM and its jobs start has it, and nothing else
            "SLURM_CONF": str(folder / "etc/slurm.conf"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        self._layout = {"PORT": str(port), "GPUS": " ".join(map(str, gpus))}

    def script(self, action: str) -> "subprocess.CompletedProcess[str]":
        """Check whether it can run, start it or stop it."""
        environment = os.environ | self.environment | self._layout
        return subprocess.run([SCRIPT, action], env=environment, capture_output=True, text=True, check=False)

    def ask(self, *command: str) -> list[str]:
        """Return the lines that one of SLURM's commands prints."""
        environment = os.environ | self.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.splitlines()

    def jobs(self) -> list[Job]:
        """Return the jobs that wait or run."""
        return [Job(*line.split("|")) for line in self.ask("squeue", "--noheader", "--format=%i|%T|%r|%N|%k")]

    def state_of(self, job: str) -> str | None:
        """Return the state of a job that waits or runs; None for any other."""
        return next((one.state for one in self.jobs() if one.id == job), None)

    def tries(self) -> list[Try]:
        """Return every time that a job ran, the oldest first."""
        fields = "--format=JobID,State,Comment"
        lines = self.ask("sacct", "--allocations", "--duplicates", "--noheader", "--parsable2", fields)
        return [Try(*line.split("|")) for line in lines]

    def seconds_left(self, job: str) -> float:
        """Return how long a running job may still run; 0 where it runs no more."""
        left = self.ask("squeue", "--noheader", "--states=running", f"--jobs={job}", "--format=%L")
        if not left:
            return 0
        minutes, seconds = left[0].split(":")[-2:]
        return 60 * int(minutes) + int(seconds)

    def processes(self, job: str = "", program: str = "") -> list[psutil.Process]:
        """Return the cluster's processes: of one job where it is named, and with `program` in their command line."""
        return [process for process in psutil.process_iter() if self._is_ours(process, job, program)]

    def kill(self, job: str = "", program: str = "") -> bool:
        """Kill such processes with SIGKILL; return whether there were any."""
        found = self.processes(job, program)
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return bool(found)

    def _is_ours(self, process: psutil.Process, job: str, program: str) -> bool:
        try:
            command = " ".join(process.cmdline())
            # psutil reads no further than where SLURM's daemons have written over theirs.
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except (psutil.NoSuchProcess, OSError):
            return False
        of_job = f"SLURM_JOB_ID={job}".encode() in environment or command.startswith(f"slurmstepd: [{job}.")
        return f"CLUSTER={self.folder}".encode() in environment and (of_job or not job) and program in command

    def stop(self) -> None:
        """Stop it, and kill whatever it leaves: without control groups some processes outlive their jobs."""
        self.script("down")
        self.kill()

    def start_without_delay(self, minutes: int) -> None:
        """Let jobs that are queued again start at once, with a new time limit; SLURM has them wait for two minutes."""
        for job in self.jobs():
            if job.state == "PENDING" and job.reason == "BeginTime":
                self.ask("scontrol", "update", f"jobid={job.id}", "starttime=now", f"timelimit={minutes}")
            if "held" in job.reason:  # it was to start again before SLURM had cleared up after it
                self.ask("scontrol", "release", job.id)


@contextmanager
def private_slurm(gpus: Sequence[int]) -> Iterator[PrivateSlurm]:
    """Run a cluster while the block runs; skip the test, with the reason, where it cannot run."""
    with ExitStack() as ending:
        # Sockets have names of a hundred characters at most, so it is no folder deep inside pytest's own.
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        ending.callback(rmtree, folder, ignore_errors=True)
        slurm = PrivateSlurm(folder, _free_ports(), gpus)
        checked = slurm.script("check")
        if checked.returncode == CANNOT_RUN:
            pytest.skip(checked.stdout.strip())
        ending.callback(slurm.stop)
        started = slurm.script("up")
        assert started.returncode == 0, started.stderr
        yield slurm


def wait_until(happened: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition; the test fails where it does not come true in time."""
    deadline = monotonic() + seconds
    while not happened():
        assert monotonic() < deadline, f"{what}: not after {seconds:g} s"
        sleep(0.2)


def _free_ports() -> int:
    """Return the first of several consecutive ports that nobody listens on, below those given out on demand."""
    for first in range(20_000 + os.getpid() % 500 * PORTS, 32_000, PORTS):
        if all(_is_free(port) for port in range(first, first + PORTS)):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from pipeline.records.errors import UserError
from pipeline.training.lease import leased_gpus

# Says which GPUs it has and what its children see, and keeps them until it is told a word.
HOLDER = """
import logging, os, sys
from pipeline.training.lease import leased_gpus
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
with leased_gpus(int(sys.argv[1])) as gpus:
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(gpus)
    print("has", *gpus, flush=True)
    sys.stdin.readline()
"""

# Takes a GPU over and over, and writes down when it had which.
ROUNDS = 10
BUSY = f"""
import sys, time
from pipeline.training.lease import leased_gpus
for _ in range({ROUNDS}):
    with leased_gpus(int(sys.argv[1])) as gpus:
        began = time.monotonic()
        sum(range(100_000))
        ended = time.monotonic()
    for gpu in gpus:
        print(gpu, began, ended)
"""

Holder = subprocess.Popen[str]
Start = Callable[[int], Holder]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files of a machine with the GPUs 0 and 1."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return tmp_path


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what starts a job that asks for some GPUs."""
    holders: list[Holder] = []

    def begin(count: int) -> Holder:
        command = [sys.executable, "-c", HOLDER, str(count)]
        holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return holders[-1]

    yield begin
    for holder in holders:
        holder.kill()
        holder.communicate()


def said(holder: Holder) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def end(holder: Holder) -> None:
    holder.communicate("\n", timeout=60)
    assert holder.returncode == 0


def busy(count: int) -> Holder:
    return subprocess.Popen([sys.executable, "-c", BUSY, str(count)], stdout=subprocess.PIPE, text=True)


def assert_never_shared(jobs: list[Holder], gpus_a_round: int) -> None:
    lines = [line.split() for job in jobs for line in job.communicate(timeout=100)[0].splitlines()]
    assert len(lines) == ROUNDS * gpus_a_round
    for gpu in {line[0] for line in lines}:
        times = sorted((float(began), float(ended)) for name, began, ended in lines if name == gpu)
        assert all(ended <= began for (_, ended), (began, _) in pairwise(times))


def test_two_jobs_have_different_gpus(start: Start) -> None:
    assert [said(start(1)) for _ in range(2)] == ["has 0", "has 1"]


def test_a_job_waits_says_once_for_whom_and_goes_on_with_what_is_freed(start: Start) -> None:
    first = start(1)
    assert said(first) == "has 0"
    second = start(1)
    assert said(second) == "has 1"
    third = start(1)
    holders = f"0 is held by process {first.pid}, 1 is held by process {second.pid}"
    assert said(third) == f"waiting for 1 of 2 GPUs: {holders}"
    end(second)
    assert said(third) == "has 1"


def test_a_killed_job_frees_its_gpus(start: Start) -> None:
    killed = start(2)
    assert said(killed) == "has 0 1"
    waiting = start(2)
    assert said(waiting).startswith("waiting for 2 of 2 GPUs: ")
    killed.kill()
    assert said(waiting) == "has 0 1"


def test_a_job_that_needs_many_is_not_passed_over_and_one_behind_it_waits(start: Start) -> None:
    one = start(1)
    assert said(one) == "has 0"
    both = start(2)
    assert said(both) == f"waiting for 2 of 2 GPUs: 0 is held by process {one.pid}"
    late = start(1)
    assert said(late) == f"waiting for GPUs behind process {both.pid}"
    end(one)
    assert said(both) == "has 0 1"
    assert said(late).startswith("waiting for 1 of 2 GPUs: ")
    end(both)
    assert said(late) == "has 0"


def test_a_job_is_not_held_up_by_those_that_wait_for_other_gpus(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert said(start(1)) == "has 0"
    assert said(start(1)).startswith("waiting")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert said(start(1)) == "has 1"


def test_jobs_whose_gpus_overlap_never_wait_for_each_other_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = []
    for visible in ("0,1", "1,2", "2,0"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        jobs.append(busy(2))
    assert_never_shared(jobs, 3 * 2)


def test_a_waiting_job_that_is_killed_lets_the_next_one_through(start: Start) -> None:
    one = start(1)
    said(one)
    both = start(2)
    assert said(both).startswith("waiting")
    late = start(1)
    assert said(late).startswith("waiting for GPUs behind")
    both.send_signal(signal.SIGKILL)
    assert said(late) == "has 1"


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 2), (1, 2, 1)])
def test_no_gpu_is_ever_lent_to_two_jobs(counts: tuple[int, ...]) -> None:
    assert_never_shared([busy(count) for count in counts], sum(counts))


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [
        ("3", ("3",)),
        (" 5, 2,7", ("5", "2")),
        ("GPU-8f3c,MIG-GPU-8f3c/1/0", ("GPU-8f3c", "MIG-GPU-8f3c/1/0")),
        ("4,4", ("4",)),
        ("6,-1,7", ("6",)),
    ],
)
def test_gpus_are_chosen_among_those_that_the_process_may_use(
    monkeypatch: pytest.MonkeyPatch, visible: str, gpus: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with leased_gpus(2) as leased:
        assert leased == gpus
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(gpus)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


def test_gpus_that_nobody_named_are_counted_without_setting_up_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with leased_gpus(1) as leased:
        assert leased == ("0",)[: torch.cuda.device_count()]
        assert not torch.cuda.is_initialized()
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_machine_with_fewer_gpus_than_asked_lends_all_it_has(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pipeline"), leased_gpus(8) as leased:
        assert leased == ("0", "1")
    assert caplog.messages == ["this job asks for 8 GPUs and takes all that there are: 0, 1"]


@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles"])
def test_nothing_is_leased_where_no_gpu_may_be_used(
    monkeypatch: pytest.MonkeyPatch, machine: Path, visible: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with leased_gpus(1) as leased:
        assert leased == ()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == visible
    assert list(machine.iterdir()) == []


@pytest.mark.parametrize("visible", [None, "0,1"])
def test_a_job_that_asks_for_no_gpu_sees_none(
    monkeypatch: pytest.MonkeyPatch, machine: Path, visible: str | None
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with leased_gpus(0) as leased:
        assert leased == ()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible
    assert list(machine.iterdir()) == []


def test_a_job_that_waits_does_not_sign_for_gpus_that_it_gives_back(start: Start) -> None:
    one = start(1)
    assert said(one) == "has 0"
    both = start(2)
    assert said(both) == f"waiting for 2 of 2 GPUs: 0 is held by process {one.pid}"
    signed = Path(os.environ["TMPDIR"]) / f"gpu-leases-{os.getuid()}" / "1"
    assert signed.read_text() == ""
    end(one)
    assert said(both) == "has 0 1"
    assert signed.read_text() == f"process {both.pid}"


@pytest.mark.parametrize("count", [0, 1])
def test_slurm_lends_its_gpus_itself(monkeypatch: pytest.MonkeyPatch, machine: Path, count: int) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with leased_gpus(count) as leased:
        assert leased == ()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert list(machine.iterdir()) == []


def test_a_failure_gives_the_gpus_back(start: Start) -> None:
    with pytest.raises(ZeroDivisionError), leased_gpus(2):
        _ = 1 / 0
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert said(start(2)) == "has 0 1"


def test_a_folder_that_cannot_be_used_is_named(machine: Path) -> None:
    (machine / f"gpu-leases-{os.getuid()}").write_text("")
    with pytest.raises(UserError, match=r"gpu-leases-\d+ \(File exists\): remove it, or set TMPDIR"), leased_gpus(1):
        pass

"""Launched processes: they end together, however one of them or their launcher ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.records.errors import UserError
from pipeline.settings.hardware import Hardware
from pipeline.training import slurm_step
from pipeline.training.launch import launch, processes_per_node
from pipeline.training.node_launcher import launch_on_this_node
from pipeline.training.parent import PARENT

TWO = Hardware(threads=2, processes=2)
WAITING = """
import os, signal, sys
from pathlib import Path
folder, rank = Path(sys.argv[1]), os.environ["RANK"]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGALRM])
def wait_for_the_end():
    signal.alarm(120)
    got = signal.sigwait([signal.SIGTERM, signal.SIGALRM])
    (folder / f"{rank}.ended").write_text(signal.Signals(got).name)
"""
FIRST_ENDS_THE_LAUNCHER = """
if rank == "0":
    (folder / "meeting").open().close()
    os.kill(os.getppid(), signal.SIGTERM)
else:
    (folder / "meeting").open("w").close()
wait_for_the_end()
(folder / f"{rank}.saved").touch()
sys.exit(1)
"""
SECOND_FAILS = """
if rank == "1":
    (folder / "meeting").open("w").close()
    sys.exit("error: told by the process itself")
(folder / "meeting").open().close()
wait_for_the_end()
"""
SECOND_IS_KILLED = """
if rank == "1":
    (folder / "meeting").open("w").close()
    os.kill(os.getpid(), signal.SIGKILL)
(folder / "meeting").open().close()
wait_for_the_end()
"""
LAUNCHER = """
import sys
from pipeline.settings.hardware import Hardware
from pipeline.training.launch import launch
launch([sys.executable, "-c", sys.argv[1]], Hardware(threads=1, processes=1))
"""
WATCHED = """
import signal
from pipeline.training.group import joined
with joined():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    print("training", flush=True)
    signal.sigtimedwait([signal.SIGUSR1], 60)
    print("still training", flush=True)
"""
ORPHAN = """
import sys
from pathlib import Path
from pipeline.training.parent import end_with_parent
end_with_parent()
(Path(sys.argv[1]) / "began").touch()
"""
SRUN = """#!{python}
import os, subprocess, sys
options = [argument for argument in sys.argv[1:] if argument.startswith("--")]
command = sys.argv[1 + len(options):]
leaked = sorted(name for name in os.environ if name.startswith(("SLURM_", "SRUN_", "SBATCH_")))
assert leaked == ["SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID"], leaked
assert {{"--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--overlap"}} <= set(options), options
tasks = [subprocess.Popen(command, env={{**os.environ, "SLURM_STEP_ID": "1"}}) for node in range(2)]
sys.exit(max(task.wait() for task in tasks))
"""
TELL = """
import os, sys
from pathlib import Path
names = ("WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
(Path(sys.argv[1]) / os.environ["RANK"]).write_text(" ".join(os.environ[name] for name in names))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "meeting")
    return tmp_path


def test_a_process_that_fails_ends_the_others_and_the_launch(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="process 1 of the training ended with an error; its own sentence"):
        launch([sys.executable, "-c", WAITING + SECOND_FAILS, str(folder)], TWO)
    assert (folder / "0.ended").read_text() == "SIGTERM"
    told = capfd.readouterr().err
    assert "error: told by the process itself\n" in told
    assert "Traceback" not in told


def test_a_process_that_is_killed_is_named_with_its_signal(folder: Path) -> None:
    with pytest.raises(UserError, match="process 1 of the training was ended by SIGKILL"):
        launch([sys.executable, "-c", WAITING + SECOND_IS_KILLED, str(folder)], TWO)
    assert (folder / "0.ended").read_text() == "SIGTERM"


def test_a_launcher_that_is_told_to_stop_waits_until_all_have_saved(folder: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)]
    with pytest.raises(UserError, match="told to stop by SIGTERM; it continues from its last saved state"):
        launch([sys.executable, "-c", WAITING + FIRST_ENDS_THE_LAUNCHER, str(folder)], TWO)
    for rank in range(2):
        assert (folder / f"{rank}.ended").read_text() == "SIGTERM"
        assert (folder / f"{rank}.saved").exists()
    after = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)]
    assert after == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process that its parent ended")
def test_a_launcher_that_is_killed_takes_its_processes_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, WATCHED], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "training\n"
        launcher.kill()
        # Ends when the last process that could write has ended.
        assert launcher.stdout.read() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process that its parent ended")
def test_a_process_whose_launcher_ended_before_it_looked_does_not_train(tmp_path: Path) -> None:
    launch([sys.executable, "-c", ORPHAN, str(tmp_path)], Hardware(threads=1, processes=1))
    assert (tmp_path / "began").exists()
    assert PARENT not in os.environ
    nobody = {**os.environ, PARENT: str(os.getpid() + 1)}
    orphan = subprocess.run(
        [sys.executable, "-c", ORPHAN, str(tmp_path / "none")], env=nobody, capture_output=True, text=True, check=False
    )
    assert f"UserError: process {nobody[PARENT]}, which started this one, has ended" in orphan.stderr


def test_nodes_train_together_through_srun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    srun = tmp_path / "srun"
    srun.write_text(SRUN.format(python=sys.executable))
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name in ("SLURM_NTASKS", "SLURM_CPU_BIND", "SRUN_DEBUG", "SBATCH_PARTITION"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "6", "SLURM_ARRAY_TASK_ID": "2"}.items():
        monkeypatch.setenv(name, value)
    launch([sys.executable, "-c", TELL, str(tmp_path)], Hardware(threads=2, processes=1, nodes=2))
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ["2 0 1", "2 0 1"]


def test_a_job_with_too_few_nodes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\nexit 1\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(UserError, match="SLURM did not start a task on each of 2 nodes"):
        launch(["true"], Hardware(threads=1, nodes=2))


def test_a_host_whose_name_leads_nowhere_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "srun").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(slurm_step, "_STORE_SECONDS", 0.5)
    monkeypatch.setattr(socket, "gethostname", lambda: "node1.invalid")
    with pytest.raises(UserError, match=r"does not reach node1\.invalid, where the nodes of the training meet"):
        launch(["true"], Hardware(threads=1, nodes=2))


def test_a_node_that_does_not_reach_the_first_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_step, "_STORE_SECONDS", 0.5)
    with pytest.raises(UserError, match=r"does not reach node1\.invalid, where the nodes of the training meet"):
        launch_on_this_node("token", "node1.invalid:29500", Hardware(threads=1, nodes=2).model_dump_json(), "true")


def test_a_container_without_srun_is_no_reason_to_ask_for_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(UserError, match="nodes 2 needs srun, which is not found here; a container holds none"):
        launch(["true"], Hardware(threads=1, nodes=2))


def test_several_nodes_need_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(UserError, match="nodes 3 needs a SLURM job of as many nodes"):
        launch(["true"], Hardware(threads=1, nodes=3))


def test_a_node_without_gpus_has_one_process_unless_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert processes_per_node(Hardware(threads=4)) == 1
    assert processes_per_node(Hardware(threads=4, processes=3)) == 3

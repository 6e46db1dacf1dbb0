"""A launcher on each node of a SLURM job, all of them one step of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta

from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]
from torch.distributed.elastic.multiprocessing import SignalException

from pipeline.records.errors import UserError
from pipeline.settings.hardware import Hardware
from pipeline.training.agent import stoppable

_NODE_LAUNCHER = "pipeline.training.node_launcher"
_STORE_SECONDS = 30.0
"""How long to try to reach the store, and again as long once or twice, since torch tries anew."""
_KEPT = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_END_TIME", "SLURM_CONF")
_CLIENT_SETTINGS = ("SLURM_", "SRUN_", "SBATCH_")
_STEP = "slurm step"


def run_on_nodes(command: Sequence[str], hardware: Hardware, token: str) -> None:
    """Run a command in the processes of all nodes of the SLURM job that this is a task of.

    Raises:
        UserError: This is no SLURM job or one of fewer nodes, there is no srun or the host's name leads nowhere, a
            process failed, or this process was told to stop.
    """
    srun = _srun(hardware.nodes)
    host = socket.gethostname()
    store = _store(host, 0, is_master=True)
    launcher = [sys.executable, "-m", _NODE_LAUNCHER, token, f"{host}:{store.port}", hardware.model_dump_json()]
    if _run_to_its_end([srun, *_options(hardware.nodes), *launcher, *command], store) == 0:
        return
    if not store.check([_STEP]):
        raise UserError(
            f"SLURM did not start a task on each of {hardware.nodes} nodes, as its own words above say; give the job "
            "that many: nodes, and tasks too where it has no GPUs"
        )
    raise UserError("the training stopped in one of its processes; its own sentence stands above")


def announce_step(endpoint: str) -> None:
    """Tell who started this task, by its store at `host:port`, which step of the job the task belongs to.

    Raises `UserError` where that host is not reached.
    """
    host, _, port = endpoint.rpartition(":")
    _store(host, int(port), is_master=False).set(_STEP, os.environ["SLURM_STEP_ID"])


def _srun(nodes: int) -> str:
    if "SLURM_JOB_ID" not in os.environ:
        raise UserError(f"nodes {nodes} needs a SLURM job of as many nodes; submit it to one, or set nodes 1")
    srun = shutil.which("srun")
    if srun is None:
        raise UserError(
            f"nodes {nodes} needs srun, which is not found here; a container holds none of SLURM's commands, so run "
            "without it, or set nodes 1"
        )
    return srun


def _store(host: str, port: int, is_master: bool) -> TCPStore:
    try:
        return TCPStore(
            host, port, is_master=is_master, wait_for_workers=False, timeout=timedelta(seconds=_STORE_SECONDS)
        )
    except DistError as error:
        raise UserError(
            f"{socket.gethostname()} does not reach {host}, where the nodes of the training meet; see whether that "
            "name leads to that host on each node (getent hosts), or set nodes 1"
        ) from error


def _options(nodes: int) -> list[str]:
    """Return srun's options: a task per node that shares all that the job has there with the task that starts it."""
    return [
        f"--nodes={nodes}",
        f"--ntasks={nodes}",
        "--ntasks-per-node=1",
        "--overlap",
        "--cpu-bind=none",
        "--kill-on-bad-exit=1",
        "--wait=0",  # nodes end minutes apart where one of them publishes
    ]


def _run_to_its_end(command: list[str], store: TCPStore) -> int:
    """Run srun and return its exit status; where this process is told to stop, so are its tasks, which may save."""
    with subprocess.Popen(command, env=_environment(), start_new_session=True) as step, stoppable():  # noqa: S603
        try:
            return step.wait()
        except SignalException as stopped:
            _stop_tasks(step, store)
            step.wait()
            raise UserError(f"{stopped}; it continues from its last saved state when it is run again") from None


def _stop_tasks(step: subprocess.Popen[bytes], store: TCPStore) -> None:
    """Send SIGTERM to all processes of the step; srun itself, sent one, would kill them at once."""
    scancel = shutil.which("scancel")
    if scancel is None or not store.check([_STEP]):
        step.terminate()
        return
    number = f"{os.environ['SLURM_JOB_ID']}.{store.get(_STEP).decode()}"
    # Refused where SLURM is ending the whole job, whose processes it then signals itself.
    subprocess.run([scancel, f"--signal={signal.SIGTERM.name}", number], capture_output=True, check=False)  # noqa: S603


def _environment() -> dict[str, str]:
    """Return the environment without what SLURM set for the task that this runs in, which srun takes for options."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or not name.startswith(_CLIENT_SETTINGS)}

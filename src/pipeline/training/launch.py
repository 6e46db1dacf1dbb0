"""Training on several devices and nodes: a process is started for each device."""

import uuid
from collections.abc import Sequence

import torch

from pipeline.records.errors import UserError
from pipeline.settings.hardware import Hardware
from pipeline.training.agent import Meeting, run_processes
from pipeline.training.slurm_step import run_on_nodes


def processes_per_node(hardware: Hardware) -> int:
    """Return how many processes train on this node: as set, or one per GPU that this process sees, or one.

    Raises `UserError` where more are set than there are GPUs, if any.
    """
    gpus = torch.cuda.device_count()  # asks the driver, and leaves CUDA as it is
    if hardware.processes > gpus > 0:
        raise UserError(f"processes {hardware.processes} is more than the {gpus} GPUs that the job sees; lower it")
    return hardware.processes or gpus or 1


def launch(command: Sequence[str], hardware: Hardware) -> None:
    """Run a command in one process per device on every node of the job, and wait until all have ended.

    The processes join each other by `group.joined` and write to this process's own output. Several nodes are those of
    the SLURM job that this runs in.

    Raises:
        UserError: A process failed (its own sentence is written before), this process was told to stop (the others
            were told so, and had time to save), or several nodes are asked for outside SLURM.
    """
    token = uuid.uuid4().hex
    if hardware.nodes == 1:
        run_processes(command, processes_per_node(hardware), Meeting(token))
    else:
        run_on_nodes(command, hardware, token)

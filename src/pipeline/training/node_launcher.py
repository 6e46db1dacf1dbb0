"""The launcher of one of several nodes, a program: its arguments are those of `launch_on_this_node`."""

import sys

from pipeline.records.errors import UserError
from pipeline.settings.hardware import Hardware
from pipeline.training.agent import Meeting, run_processes
from pipeline.training.launch import processes_per_node
from pipeline.training.slurm_step import announce_step


def launch_on_this_node(token: str, endpoint: str, hardware: str, *command: str) -> None:
    """Run this node's part of a training; `hardware` is JSON. Raises as `agent.run_processes` does."""
    announce_step(endpoint)
    shape = Hardware.model_validate_json(hardware)
    run_processes(command, processes_per_node(shape), Meeting(token, shape.nodes, endpoint))


if __name__ == "__main__":
    try:
        launch_on_this_node(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")

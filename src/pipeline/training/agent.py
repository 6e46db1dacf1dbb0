"""The training processes of one node: started together, watched, and stopped together."""

import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousConnectionError, RendezvousTimeoutError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from pipeline.records.errors import UserError
from pipeline.training.parent import named_as_parent

_JOINING_SECONDS = 600
"""How long the launchers of all nodes have to find each other; importing torch from a shared disk takes minutes."""
_SAVING_SECONDS = 600
"""How long processes that are told to stop have to finish their step and save; clusters kill earlier of their own."""
_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TALKATIVE = (
    "torch.distributed.elastic.multiprocessing",
    "torch.distributed.elastic.agent",
    "torchelastic-events-null",
)
"""Loggers that repeat at length what the processes themselves have said in a sentence."""


@dataclass(frozen=True)
class Meeting:
    """Say where the launchers of a training's nodes find each other."""

    token: str
    """Tells this training from all others."""
    nodes: int = 1
    """Number of nodes, each with a launcher."""
    endpoint: str = "127.0.0.1:0"
    """Host and port of the store they write to, served by who started them; a lone launcher serves its own."""


def run_processes(command: Sequence[str], processes: int, meeting: Meeting) -> None:
    """Run a command in several processes on this node until all have ended, together with those of other nodes.

    Each finds its number in the environment, as `group.joined` does, and writes to this process's own output. When
    one fails, or this process is told to stop, the others are told to stop too (SIGTERM), and killed if they do not.

    Raises:
        UserError: A process failed, this process was told to stop, or another node's launcher did not come.
    """
    # torch 2.11 does not know it yet, and gives 30 seconds.
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(_SAVING_SECONDS))
    try:
        with stoppable(), _quiet(), named_as_parent():
            elastic_launch(_configuration(processes, meeting), command[0])(*command[1:])
    except SignalException as stopped:
        raise UserError(f"{stopped}; it continues from its last saved state when it is run again") from None
    except ChildFailedError as error:
        raise UserError(_describe(error)) from None
    except (RendezvousTimeoutError, RendezvousConnectionError) as error:
        raise UserError(
            f"the {meeting.nodes} nodes of the training did not meet at {meeting.endpoint} within {_JOINING_SECONDS} "
            "seconds; see whether each can reach that host by its name"
        ) from error


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise torch's `SignalException` inside where this process is told to stop, once.

    SLURM signals a process both itself and through srun; the second signal must not cut short the saving that the
    first began. A second SIGINT, which a person sends, does.
    """

    def stop(number: int, _: FrameType | None) -> None:
        for later in watched:
            signal.signal(later, signal.default_int_handler if later == signal.SIGINT else signal.SIG_IGN)
        # The processes are always sent SIGTERM.
        raise SignalException(f"the training was told to stop by {signal.Signals(number).name}", signal.SIGTERM)

    # What is ignored stays so: nohup has SIGHUP ignored.
    watched = [number for number in _STOPPING_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in (*watched, signal.SIGQUIT)}
    try:
        for number in watched:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _quiet() -> Iterator[None]:
    nothing = logging.NullHandler()
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(nothing)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagated in zip(loggers, before, strict=True):
            logger.removeHandler(nothing)
            logger.propagate = propagated


def _configuration(processes: int, meeting: Meeting) -> LaunchConfig:
    alone = meeting.nodes == 1
    return LaunchConfig(
        min_nodes=meeting.nodes,
        max_nodes=meeting.nodes,
        nproc_per_node=processes,
        run_id=meeting.token,
        rdzv_backend="c10d",
        rdzv_endpoint=meeting.endpoint,
        rdzv_configs={"is_host": alone, "join_timeout": _JOINING_SECONDS},
        local_addr="127.0.0.1" if alone else socket.gethostname(),
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
        signals_to_handle="SIGQUIT",  # the others are handled by `stoppable`
    )


def _describe(error: ChildFailedError) -> str:
    rank, failure = error.get_first_failure()
    if failure.exitcode < 0:
        return (
            f"process {rank} of the training was ended by {failure.signal_name()}, as a system without memory left "
            "does with SIGKILL; the run continues from its last saved state when it is run again"
        )
    return f"process {rank} of the training ended with an error; its own sentence stands above"

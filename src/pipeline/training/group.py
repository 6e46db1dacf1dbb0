"""The processes that train together: what they add up, agree on, and keep in step."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.records.errors import UserError
from pipeline.training.parent import end_with_parent

_PATIENCE = timedelta(minutes=10)
"""How long a device waits for one that hangs; a process that has ended is noticed at once by its launcher."""
_WRITE_PATIENCE = timedelta(hours=1)
"""How long processes wait to agree: the first may be writing a state to a slow disk, which the others must outwait."""
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting")
"""What gloo's errors, of no class of their own, say where another process has ended or hangs."""


@dataclass(frozen=True)
class Group:
    """Name a process among those that train together; the default is one that trains alone."""

    rank: int = 0
    """Number of the process over all nodes, from 0."""
    world: int = 1
    """Number of processes over all nodes."""
    local_rank: int = 0
    """Number of the process, and of its device, on its node, from 0."""
    control: dist.ProcessGroup | None = field(default=None, repr=False, compare=False)
    """Carries what is agreed on between CPUs, beside what the devices are busy with; unset alone."""

    @property
    def is_first(self) -> bool:
        """Tell whether this is the process that writes and publishes for all."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of all processes' values, of the same shape, on their device; `values` itself alone."""
        if self.world == 1:
            return values
        sums = values.clone()
        dist.all_reduce(sums, group=self.control if values.device.type == "cpu" else None)
        return sums

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Return each flag, true where it is in any process; waits for the other processes, and for no device."""
        if self.world == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(raised, dist.ReduceOp.MAX, self.control)
        return tuple(map(bool, raised.tolist()))

    def first_says(self, value: float) -> float:
        """Return the value that the first process has, to the last bit."""
        if self.world == 1:
            return value
        said = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(said, 0, self.control)
        return said.item()

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module such that backward averages gradients over all processes; itself alone.

        All begin with the first process's weights. Only parameters that are trained when this is called take part, so
        that a module is wrapped anew when others are.

        Buffers become the first process's at the beginning of each step. Where training changes them, as batch
        normalisation does, each process then goes on by its own images: at a validation after the step they differ
        between processes by that one step, and a state holds those of the first.
        """
        if self.world == 1:
            return module
        return DistributedDataParallel(module, gradient_as_bucket_view=True)

    def accumulating(self, module: nn.Module, last: bool) -> AbstractContextManager[None]:
        """Surround forward and backward of one part of a step; gradients are averaged with those of the `last`."""
        if last or not isinstance(module, DistributedDataParallel):
            return nullcontext()
        return module.no_sync()


ALONE = Group()
"""One process that trains by itself."""


@contextmanager
def joined() -> Iterator[Group]:
    """Join the processes that a launcher started with this one, and part from them at the end.

    On Linux the process ends with its launcher, however that ends, so that none trains on unwatched. Raises `UserError`
    where another process is lost meanwhile.
    """
    end_with_parent()
    dist.init_process_group("nccl" if torch.cuda.device_count() else "gloo", timeout=_PATIENCE)
    control = dist.new_group(backend="gloo", timeout=_WRITE_PATIENCE)
    ended_well = False
    try:
        yield Group(dist.get_rank(), dist.get_world_size(), int(os.environ["LOCAL_RANK"]), control)
        ended_well = True
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(sign in str(error) for sign in _LOST):
            raise UserError(
                f"process {dist.get_rank()} lost another process of the training; what that one said stands beside "
                "this line, and the run continues from its last saved state"
            ) from error
        raise
    finally:
        # NCCL would wait for processes that may never come here.
        if ended_well or dist.get_backend() != dist.Backend.NCCL:
            dist.destroy_process_group()

"""What a stretch of steps came to: its loss, its rate, and how much of its time went by without data."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.training.group import ALONE, Group


class Reading(NamedTuple):
    """Sum up some steps, or a validation."""

    loss: float
    """Mean over the images."""
    images_per_second: float
    """Rate of all processes together by the clock, pauses left out."""
    data_wait: float
    """Share of the time, 0.0 to 1.0, in which this process waited for its next images. A GPU that is still busy with
    earlier steps meanwhile makes it an upper bound of the time that the GPU was idle."""

    def __str__(self) -> str:
        return f"loss {self.loss:.4f} {self.images_per_second:.0f} images/s data wait {100 * self.data_wait:.0f} %"


class Meter:
    """Collect losses on the device, so that no step waits for the one before, and times on the host."""

    def __init__(self, batch_size: int, group: Group = ALONE, losses: Sequence[float] = ()) -> None:
        """Start the clock.

        Args:
            batch_size: Images per step, over all processes.
            group: The processes that each have a share of every loss.
            losses: Those that an earlier life of the run collected and did not read.
        """
        self._batch_size = batch_size
        self._group = group
        self._losses = list(losses)
        self._shares: list[Tensor] = []
        self._restart_clock()

    def add(self, share: Tensor, waited: float = 0.0) -> None:
        """Add this process's share of a step's loss, and the seconds that the step's images were waited for.

        The shares of all processes, scalars on the device, sum to the mean over the batch.
        """
        self._shares.append(share)
        self._steps += 1
        self._waited += waited

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock while what is not training is done."""
        began = monotonic()
        yield
        self._since += monotonic() - began

    def losses(self) -> Sequence[float]:
        """Return the loss of each step since the last reading, the same in all processes, which have to ask together.

        Waits until the device has computed them.
        """
        if self._shares:
            self._losses += self._group.total(torch.stack(self._shares).double()).tolist()
            self._shares = []
        return self._losses

    def read(self) -> Reading:
        """Return what came since the last reading, of one step at least; waits as `losses` does."""
        losses = self.losses()
        seconds = monotonic() - self._since
        images = self._steps * self._batch_size
        reading = Reading(math.fsum(losses) / len(losses), images / seconds, self._waited / seconds)
        self._losses = []
        self._restart_clock()
        return reading

    def _restart_clock(self) -> None:
        self._steps = 0
        self._waited = 0.0
        self._since = monotonic()

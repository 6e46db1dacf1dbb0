"""What a stretch of steps came to: its loss, its rate, and how much of its time went by without data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.training.group import ALONE, Group


class Reading(NamedTuple):
    """Sum up some steps, or a validation."""

    images: int
    """Their number."""
    loss: float
    """Mean over the images."""
    images_per_second: float
    """Rate of all processes together by the clock, pauses left out."""
    data_wait: float
    """Share of the time, 0.0 to 1.0, in which this process waited for its next images. A GPU that is still busy with
    earlier steps meanwhile makes it an upper bound of the time that the GPU was idle."""
    watched: Mapping[str, float] = {}
    """Mean over the images of what else the task watches."""

    def facts(self) -> dict[str, float]:
        """Return what a history holds of it."""
        rates = {"images_per_second": self.images_per_second, "data_wait": self.data_wait}
        return {"loss": self.loss, **rates, **self.watched}

    def __str__(self) -> str:
        watched = "".join(f" {name} {value:.4g}" for name, value in self.watched.items())
        rates = f"{self.images_per_second:.0f} images/s data wait {100 * self.data_wait:.0f} %"
        return f"loss {self.loss:.4f} {rates}{watched}"


class Meter:
    """Collect losses on the device, so that no step waits for the one before, and times on the host."""

    def __init__(
        self,
        batch_size: int,
        group: Group = ALONE,
        watched: Sequence[str] = (),
        means: Sequence[Sequence[float]] = (),
    ) -> None:
        """Start the clock.

        Args:
            batch_size: Images per step, over all processes.
            group: The processes that each have a share of every loss.
            watched: Names of what is collected beside losses.
            means: Those of the steps that an earlier life of the run collected and did not read.
        """
        self._batch_size = batch_size
        self._group = group
        self._watched = tuple(watched)
        self._means = [list(step) for step in means]
        self._shares: list[Tensor] = []
        self._restart_clock()

    def add(self, share: Tensor, waited: float = 0.0) -> None:
        """Add this process's share of a step's means, and the seconds that the step's images were waited for.

        The shares of all processes, [1 + W] on the device, sum to the means over the batch: the loss, then what is
        watched.
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

    def means(self) -> list[list[float]]:
        """Return loss and watched means of each step since the last reading, the same in all processes.

        They have to ask together. Waits until the device has computed them.
        """
        if self._shares:
            self._means += self._group.total(torch.stack(self._shares).double()).tolist()
            self._shares = []
        return list(self._means)

    def losses(self) -> list[float]:
        """Return the loss of each step since the last reading; waits as `means` does."""
        return [step[0] for step in self.means()]

    def read(self) -> Reading:
        """Return what came since the last reading, of one step at least; waits as `means` does."""
        steps = self.means()
        loss, *watched = (math.fsum(column) / len(steps) for column in zip(*steps, strict=True))
        seconds = monotonic() - self._since
        reading = Reading(
            images=len(steps) * self._batch_size,
            loss=loss,
            images_per_second=self._steps * self._batch_size / seconds,
            data_wait=self._waited / seconds,
            watched=dict(zip(self._watched, watched, strict=True)),
        )
        self._means = []
        self._restart_clock()
        return reading

    def _restart_clock(self) -> None:
        self._steps = 0
        self._waited = 0.0
        self._since = monotonic()

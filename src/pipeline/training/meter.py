"""What a stretch of steps came to: its loss, its rate, and how much of its time went by without data."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.batches.batch import ImageBatch


class Reading(NamedTuple):
    """Sum up the steps since the last reading."""

    loss: float
    """Mean over the images."""
    images_per_second: float
    """Rate by the clock, pauses left out."""
    data_wait: float
    """Share of the time, 0.0 to 1.0, in which the loop waited for its next batch. A GPU that is still busy with
    earlier steps meanwhile makes it an upper bound of the time that the GPU was idle."""

    def __str__(self) -> str:
        return f"loss {self.loss:.4f} {self.images_per_second:.0f} images/s data wait {100 * self.data_wait:.0f} %"


class Meter:
    """Collect losses on the device, so that no step waits for the one before, and times on the host."""

    def __init__(self) -> None:
        """Start the clock."""
        self._restart()

    def add(self, loss: Tensor, images: int, waited: float) -> None:
        """Add a step's loss, the mean over its images, and the seconds that its batch was waited for."""
        self._losses.append(loss)
        self._images.append(images)
        self._waited += waited

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock while what is not training is done."""
        began = monotonic()
        yield
        self._since += monotonic() - began

    def read(self) -> Reading:
        """Return what came since the last reading, of one step at least; waits until the device has computed it."""
        losses: list[float] = torch.stack(self._losses).tolist()
        seconds, images = monotonic() - self._since, sum(self._images)
        loss = sum(loss * count for loss, count in zip(losses, self._images, strict=True)) / images
        reading = Reading(loss, images / seconds, self._waited / seconds)
        self._restart()
        return reading

    def _restart(self) -> None:
        self._losses: list[Tensor] = []
        self._images: list[int] = []
        self._waited = 0.0
        self._since = monotonic()


def timed(batches: Iterable[ImageBatch]) -> Generator[tuple[ImageBatch, float]]:
    """Yield each batch with the seconds it was waited for."""
    asked = monotonic()
    for batch in batches:
        yield batch, monotonic() - asked
        asked = monotonic()

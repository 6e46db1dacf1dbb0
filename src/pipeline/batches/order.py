"""The order of training images, computed from the step alone."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.records.randomness import keyed_generator

ImageKeys = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Epoch and sample position of each of some images, both [B]."""


class Order(Protocol):
    """An endless stream of images."""

    def at(self, places: NDArray[np.int64]) -> ImageKeys:
        """Return epoch and sample position at some places of the stream, counted from 0; places ascend."""
        ...


class ShuffledOrder:
    """Go through all samples in a new order each epoch.

    Epochs follow each other without a gap: a batch at the end of one is filled from the next, so every
    image appears exactly once per epoch and every batch is full. The shuffle is exact and global: it
    holds 4 bytes per sample for each of two epochs, once per process since readers are threads, and
    costs about 20 ms per epoch of a million samples.
    """

    def __init__(self, samples: int, seed: int, purpose: str = "order") -> None:
        """Shuffle `samples` samples; streams of different purposes are independent."""

        @lru_cache(maxsize=2)  # a batch reaches into two epochs
        def permutation(epoch: int) -> NDArray[np.int32]:
            return keyed_generator(seed, purpose, epoch).permutation(np.arange(samples, dtype=np.int32))

        self.samples = samples
        self._permutation = permutation

    def at(self, places: NDArray[np.int64]) -> ImageKeys:
        """Return epoch and sample position at some places, both [B]."""
        epochs, within = np.divmod(places, self.samples)
        positions = np.empty_like(within)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            positions[chosen] = self._permutation(int(epoch))[within[chosen]]
        return epochs, positions


@dataclass(frozen=True)
class Share:
    """Say which part of each batch one of several processes reads."""

    rank: int = 0
    """Number of the process, from 0."""
    world: int = 1
    """Number of processes."""

    def places(self, step: int, batch_size: int) -> NDArray[np.int64]:
        """Return the places of a step's batch that are this process's own.

        A batch is cut into contiguous parts whose sizes differ by one at most, so that all parts together are the
        batch whatever the number of processes.
        """
        start, stop = (step * batch_size + rank * batch_size // self.world for rank in (self.rank, self.rank + 1))
        return np.arange(start, stop, dtype=np.int64)


WHOLE_BATCH = Share()
"""One process reads everything."""


def fixed_subset(samples: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return at most `count` positions below `samples`, drawn from all over them, in ascending order."""
    return np.sort(keyed_generator(seed, "fixed subset").permutation(samples)[:count])

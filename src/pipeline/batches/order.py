"""The order of training images, computed from the step alone."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.records.randomness import keyed_generator


@lru_cache(maxsize=2)
def epoch_order(samples: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the permutation of `samples` indices that one epoch follows."""
    order = keyed_generator(seed, "order", epoch).permutation(samples)
    order.flags.writeable = False
    return order


def fixed_subset(samples: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return at most `count` indices below `samples`, drawn from all over them, in ascending order."""
    return np.sort(keyed_generator(seed, "fixed subset").permutation(samples)[:count])


def batch_positions(step: int, batch_size: int, samples: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the epoch and the sample index of each image of a step's batch, both [batch_size].

    Epochs follow each other without a gap: a batch at the end of one is filled from the next, so
    every image appears exactly once per epoch and every batch is full.
    """
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs, within = np.divmod(places, samples)
    indices = np.empty_like(within)
    for epoch in np.unique(epochs):
        chosen = epochs == epoch
        indices[chosen] = epoch_order(samples, seed, int(epoch))[within[chosen]]
    return epochs, indices

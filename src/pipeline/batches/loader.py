"""Batches of uint8 images, read ahead by threads, the same for any number of them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.batches.order import batch_positions
from pipeline.batches.samples import Samples


@dataclass(frozen=True)
class ImageBatch:
    """Hold the images of one step, and what keys their random draws."""

    pixels: Tensor
    """uint8 [B, 1, side, side], 0 (black) to 255 (white)."""
    epochs: NDArray[np.int64]
    """[B] epoch each image belongs to."""
    indices: NDArray[np.int64]
    """[B] position of each image among the samples."""


class TrainingLoader:
    """Read the batches of a run; a batch depends on (seed, step) alone, so there is no state to save."""

    def __init__(self, samples: Samples, side: int, batch_size: int, seed: int, threads: int) -> None:
        """Prepare to read square images of `side` pixels with `threads` threads."""
        self.samples = samples
        self.side = side
        self.batch_size = batch_size
        self.seed = seed
        self.threads = threads

    def batches(self, first_step: int, last_step: int) -> Iterator[ImageBatch]:
        """Yield the batches of steps first_step (inclusive) to last_step (exclusive), reading ahead."""
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque[tuple[ImageKeys, list[Future[NDArray[np.uint8]]]]] = deque()
            for step in range(first_step, last_step):
                keys = batch_positions(step, self.batch_size, len(self.samples), self.seed)
                waiting.append((keys, [pool.submit(self._read, int(index)) for index in keys[1]]))
                if len(waiting) > _BATCHES_AHEAD:
                    yield _collect(*waiting.popleft())
            while waiting:
                yield _collect(*waiting.popleft())

    def _read(self, position: int) -> NDArray[np.uint8]:
        return self.samples.square_image(position, self.side)


ImageKeys = tuple[NDArray[np.int64], NDArray[np.int64]]

_BATCHES_AHEAD = 2  # hides the reading behind the step that is being computed


def fixed_batches(
    samples: Samples, side: int, batch_size: int, positions: NDArray[np.int64], threads: int
) -> Iterator[ImageBatch]:
    """Yield the samples at the given positions in that order, all of epoch 0; the last batch may be smaller."""
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(positions), batch_size):
            indices = positions[start : start + batch_size]
            images = list(pool.map(lambda index: samples.square_image(int(index), side), indices))
            yield ImageBatch(_stack(images), np.zeros_like(indices), indices)


def _collect(keys: ImageKeys, images: list[Future[NDArray[np.uint8]]]) -> ImageBatch:
    epochs, indices = keys
    return ImageBatch(_stack([image.result() for image in images]), epochs, indices)


def _stack(images: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(images)[:, np.newaxis])

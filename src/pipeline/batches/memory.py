"""Memory of batches, used again."""

import math
import weakref
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Memory:
    """Give memory for tensors of about the same size, and the same memory again once a tensor is gone.

    A system clears the pages of new memory, which for tens of megabytes per batch costs as much as a
    third of decoding the images.
    """

    def __init__(self) -> None:
        """Begin with none; about as many tensors' worth is held as were in use at a time."""
        self._idle: list[NDArray[np.uint8]] = []

    def tensor(self, shape: tuple[int, ...]) -> Tensor:
        """Return a uint8 tensor of a shape and unknown values, page-locked where there is a GPU to copy it to."""
        if torch.cuda.is_available():  # there, torch itself knows when a copy has ended and memory can be used again
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        size = math.prod(shape)
        block = self._block(size)
        array = block[:size].reshape(shape)
        # The tensor's storage holds this array, and nothing else does, for as long as anybody holds the tensor.
        weakref.finalize(array, self._idle.append, block).atexit = False
        return torch.from_numpy(array)

    def _block(self, size: int) -> NDArray[np.uint8]:
        """Take an idle block; one that has become too small is given up for a larger one."""
        block = self._idle.pop() if self._idle else None
        return block if block is not None and block.size >= size else np.empty(size, dtype=np.uint8)


@dataclass(frozen=True)
class BatchMemory:
    """Hold the memory of each tensor of batches."""

    images: Memory = field(default_factory=Memory)
    masks: Memory = field(default_factory=Memory)
    gaze: Memory = field(default_factory=Memory)

"""Memory of batches, used again."""

import math
import weakref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Memory:
    """Give memory for tensors of about the same size, and the same memory again once a tensor is gone.

    A system clears the pages of new memory, which for tens of megabytes per batch costs as much as a
    third of decoding the images.
    """

    def __init__(self, pinned: bool) -> None:
        """Begin with none; about as many tensors' worth is held as were in use at a time.

        `pinned` memory is page-locked, for tensors that go to a GPU.
        """
        self._pinned = pinned
        self._idle: list[NDArray[np.uint8]] = []

    def tensor(self, shape: tuple[int, ...]) -> Tensor:
        """Return a uint8 tensor of a shape and unknown values."""
        if self._pinned:  # torch itself knows when a copy has ended and memory can be used again
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


class BatchMemory:
    """Hold the memory of each tensor of batches."""

    def __init__(self, pinned: bool) -> None:
        """Begin with none, page-locked for batches that go to a GPU."""
        self.images, self.masks, self.gaze = Memory(pinned), Memory(pinned), Memory(pinned)

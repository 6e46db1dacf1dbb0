"""Memory that is full, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.records.errors import UserError

_SIGNS = (
    "can't allocate memory",  # torch's allocator for CPUs
    "CUDA error: out of memory",  # the driver's, as for pinned memory, past torch's own allocator
    "CUBLAS_STATUS_ALLOC_FAILED",  # the workspace of a matrix product
)
"""What errors of no class of their own say where memory ends."""

NO_ROOM_FOR_AVERAGE = (
    "the device has no memory for the second copy of the weights that the validation of their average needs; unset "
    "average_decay, train a smaller model, or on a larger device"
)
NO_ROOM_FOR_STATE = (
    "the machine has no memory for a copy of the weights, or of the state that is saved; raise mem in the resources "
    "of the run's rule, and run again"
)


@contextmanager
def explaining_memory(advice: str) -> Iterator[None]:
    """Turn an error of full memory, a device's or the machine's, into a `UserError` that says `advice`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if _is_of_memory(error):
            raise UserError(advice) from error
        raise


def fewer_at_once(images: int) -> str:
    """Return what to do where memory ends with `images` images at once."""
    if images == 1:
        return "there is too little memory for a single image; train a smaller model, or on a larger device"
    return (
        f"memory ran out with {images} images at once; lower device_batch in the resources of the run's rule to "
        f"{images // 2}, or raise mem where it is the machine's memory that ended, and run again: the batch is then "
        "computed in more parts, which changes results by rounding only"
    )


def _is_of_memory(error: RuntimeError | MemoryError) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(sign in str(error) for sign in _SIGNS)

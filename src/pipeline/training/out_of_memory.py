"""A device that is full, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.records.errors import UserError

_CPU_ALLOCATOR = "can't allocate memory"  # torch raises a plain RuntimeError where the machine's own memory ends


@contextmanager
def explaining_memory(images: int) -> Iterator[None]:
    """Turn an error of a full device, which was given `images` images at once, into a `UserError`."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or _CPU_ALLOCATOR in str(error):
            raise UserError(_sentence(images)) from error
        raise


def _sentence(images: int) -> str:
    if images == 1:
        return "the device has too little memory for a single image; train a smaller model, or on a larger device"
    return (
        f"the device ran out of memory with {images} images at once; lower device_batch in the resources of rule "
        f"pretrain_encoder, as by --set-resources pretrain_encoder:device_batch={images // 2}, and run again: the "
        "batch is then computed in more parts, which changes results by rounding only"
    )

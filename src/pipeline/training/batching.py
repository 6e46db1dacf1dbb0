"""How a step's batch is spread over processes, and over the parts that each takes one after the other."""

from dataclasses import dataclass

from pipeline.records.errors import UserError


@dataclass(frozen=True)
class BatchPlan:
    """Say how a batch is cut; every part of every process has one image at least."""

    batch_size: int
    """Images per step, over all processes."""
    device_batch: int
    """Images that a device takes at once, at most."""
    accumulation: int
    """Parts that each process takes one after the other in a step."""
    world: int
    """Number of processes."""


def plan_batch(batch_size: int, world: int, device_batch: int) -> BatchPlan:
    """Return the plan with the fewest parts of at most `device_batch` images each, or with one part where that is 0.

    Raises `UserError` where a part would be empty.
    """
    if batch_size < world:
        raise UserError(
            f"batch_size {batch_size} is less than one image for each of {world} processes; raise it, or lower nodes "
            "or processes"
        )
    accumulation = -(-batch_size // (world * device_batch)) if device_batch else 1
    parts = world * accumulation
    if batch_size < parts:
        raise UserError(
            f"batch_size {batch_size} does not fill {accumulation} parts of device_batch {device_batch} on each of "
            f"{world} processes; raise device_batch to {device_batch + 1}, or make batch_size a multiple of {world}"
        )
    return BatchPlan(batch_size, -(-batch_size // parts), accumulation, world)

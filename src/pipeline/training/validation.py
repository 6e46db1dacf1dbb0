"""The mean loss over images that are not trained on."""

from collections.abc import Callable, Iterable
from contextlib import closing
from time import monotonic

import torch
from torch import Tensor

from pipeline.batches.batch import ImageBatch
from pipeline.records.errors import UserError
from pipeline.training.group import Group
from pipeline.training.meter import Reading
from pipeline.training.out_of_memory import explaining_memory, fewer_at_once
from pipeline.training.waiting import timed


@torch.no_grad()
def mean_loss(
    loss_of: Callable[[ImageBatch], Tensor], batches: Iterable[ImageBatch], group: Group, device: torch.device
) -> Reading:
    """Return the mean of a loss over the images of all processes, some of which may have none.

    Sums are float64, so that the mean is the same for any cut of the images into batches and processes, but for the
    rounding of each batch's own loss. Raises `UserError` where no process has an image.
    """
    began, waited_for, images = monotonic(), 0.0, 0
    loss = torch.zeros((), dtype=torch.float64, device=device)
    with closing(timed(batches)) as read:
        for batch, waited in read:
            with explaining_memory(fewer_at_once(len(batch))):
                loss += loss_of(batch).double() * len(batch)
            images += len(batch)
            waited_for += waited
    count = torch.full_like(loss, images)
    total_loss, total_images = group.total(torch.stack([loss, count])).tolist()
    if not total_images:
        raise UserError("there is no image to validate on; give one of the run's corpora a val split")
    seconds = monotonic() - began
    return Reading(round(total_images), total_loss / total_images, total_images / seconds, waited_for / seconds)

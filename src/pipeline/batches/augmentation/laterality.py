"""Flips are refused where they would turn left into right."""

import re

from pipeline.batches.batch import Companions, ImageBatch
from pipeline.records.errors import UserError
from pipeline.settings.augmentation import AugmentationSettings

_SIDES = {"left", "right"}


def require_unflipped(settings: AugmentationSettings, companions: Companions) -> None:
    """Raise `UserError` where images are flipped although what is read beside them tells left from right."""
    if settings.flip and companions.texts:
        raise _refusal("reports are read")
    if settings.flip:
        _require_no_side(companions.masks, "mask")


def require_batch_unflipped(settings: AugmentationSettings, batch: ImageBatch) -> None:
    """Raise `UserError` where images are flipped although their reports or boxes tell left from right."""
    if settings.flip and batch.texts is not None:
        raise _refusal("reports are read")
    if settings.flip and batch.boxes is not None:
        _require_no_side(batch.boxes.labels, "box")


def _require_no_side(names: tuple[str, ...], kind: str) -> None:
    for name in names:
        if _SIDES.intersection(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)):
            raise _refusal(f"{kind} '{name}' names a side")


def _refusal(reason: str) -> UserError:
    return UserError(f"{reason}, and a flipped image swaps left and right: set augmentation.flip to false")

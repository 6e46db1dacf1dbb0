"""Flips are refused where they would turn left into right."""

import re

from pipeline.batches.batch import Companions, ImageBatch
from pipeline.records.errors import UserError
from pipeline.settings.augmentation import AugmentationSettings

_SIDES = {"l", "r", "lt", "rt", *(f"{side}{height}{part}" for side in "lr" for height in "uml" for part in "lz")}
"""Words for a side, or for a lobe or zone of one, beside left and right."""


def require_unflipped(settings: AugmentationSettings, companions: Companions) -> None:
    """Raise `UserError` where images are flipped although what is read beside them may tell left from right."""
    if not settings.flip:
        return
    _refuse(reports=bool(companions.texts), boxes=companions.boxes)
    for structure in companions.masks:
        if _names_side(structure):
            raise _refusal(f"mask '{structure}' names a side")


def require_batch_unflipped(settings: AugmentationSettings, batch: ImageBatch) -> None:
    """Raise `UserError` where images are flipped although their reports or boxes may tell left from right."""
    if settings.flip:
        _refuse(reports=batch.texts is not None, boxes=batch.boxes is not None)


def _refuse(*, reports: bool, boxes: bool) -> None:
    if reports:
        raise _refusal("reports are read")
    if boxes:
        raise _refusal("boxes are read, whose labels may name a side")


def _names_side(structure: str) -> bool:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", structure)
    return bool(re.search("left|right", structure, re.IGNORECASE) or _SIDES.intersection(map(str.lower, words)))


def _refusal(reason: str) -> UserError:
    return UserError(f"{reason}, and a flipped image swaps left and right: set augmentation.flip to false")

"""One step's images and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.batches.planes import Planes, send

Section = Literal["findings", "impression"]
"""A section of a report that shards hold."""


@dataclass(frozen=True)
class Companions:
    """Say what to read beside the images."""

    masks: tuple[str, ...] = ()
    """Structures whose masks are read, in the order of their channels."""
    gaze: bool = False
    """Whether gaze maps are read."""
    texts: tuple[Section, ...] = ()
    """Sections of the reports that are read, joined by a blank."""
    boxes: bool = False
    """Whether boxes are read."""

    def __bool__(self) -> bool:
        return bool(self.masks or self.gaze or self.texts or self.boxes)


IMAGES_ONLY = Companions()
"""Nothing is read beside the images."""


@dataclass(frozen=True)
class Boxes:
    """Hold the boxes of a batch's images."""

    corners: Tensor
    """float32 [N, 4], left, top, right, bottom as shares of the image, 0.0 to 1.0 while inside it."""
    images: Tensor
    """int64 [N], place in the batch of the image each box belongs to."""
    labels: tuple[str, ...]
    """What each box surrounds, N of them."""

    def to(self, device: torch.device) -> Boxes:
        """Return the boxes on a device, sent without waiting."""
        return replace(self, corners=send(self.corners, device), images=send(self.images, device))


@dataclass(frozen=True)
class ImageBatch:
    """Hold the images of one step, what belongs to them, and what keys their random draws."""

    images: Planes
    """One channel, gray."""
    epochs: NDArray[np.int64]
    """[B], epoch each image belongs to."""
    indices: NDArray[np.int64]
    """[B], position of each image among the samples."""
    corpora: NDArray[np.int64]
    """[B], number of the corpus of each image, in the order of the samples' indexes."""
    masks: Planes | None = None
    """One channel per structure, 255 inside and 0 outside; 0 everywhere where an image has no such mask."""
    masked: Tensor | None = None
    """bool [B, C], whether an image has a mask of each structure."""
    gaze: Planes | None = None
    """One channel, 255 where the reader looked longest; 0 everywhere where an image has no gaze map."""
    gazed: Tensor | None = None
    """bool [B], whether an image has a gaze map."""
    texts: tuple[str | None, ...] | None = None
    """Text of each image's report; None where it has none."""
    boxes: Boxes | None = None
    """Boxes of all images."""

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device) -> ImageBatch:
        """Return the batch with its images and what belongs to them on a device, sent without waiting."""
        if device.type == "cpu":
            return self
        return replace(
            self,
            images=self.images.to(device),
            masks=None if self.masks is None else self.masks.to(device),
            masked=None if self.masked is None else send(self.masked, device),
            gaze=None if self.gaze is None else self.gaze.to(device),
            gazed=None if self.gazed is None else send(self.gazed, device),
            boxes=None if self.boxes is None else self.boxes.to(device),
        )

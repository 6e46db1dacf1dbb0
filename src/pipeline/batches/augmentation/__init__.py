"""Random variation of training images on the device, their masks, gaze maps and boxes with them."""

from pipeline.batches.augmentation.augmented import Augmented, augment, plain
from pipeline.batches.augmentation.laterality import require_unflipped

__all__ = ["Augmented", "augment", "plain", "require_unflipped"]

"""What the network sees of a batch, varied at random or as it is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pipeline.batches.augmentation.affine import Motions, draw_motions, move_boxes, move_planes
from pipeline.batches.augmentation.blur import blur
from pipeline.batches.augmentation.boxes import MovedBoxes, crop_boxes
from pipeline.batches.augmentation.draws import Draws
from pipeline.batches.augmentation.erasing import erase
from pipeline.batches.augmentation.intensity import change_intensity
from pipeline.batches.augmentation.laterality import require_batch_unflipped
from pipeline.batches.augmentation.windows import draw_windows
from pipeline.batches.batch import ImageBatch
from pipeline.batches.resampling import Interpolation, Windows, resample
from pipeline.settings.augmentation import AugmentationSettings


@dataclass(frozen=True)
class Augmented:
    """Hold the squares that a network is given, and what belongs to them, on the device of the batch."""

    images: Tensor
    """float32 [B, 1, side, side], 0.0 (black) to 1.0 (white)."""
    masks: Tensor | None
    """float32 [B, C, side, side], 1.0 inside a structure and 0.0 outside."""
    gaze: Tensor | None
    """float32 [B, 1, side, side], 0.0 to 1.0."""
    boxes: MovedBoxes | None
    """Boxes as shares of the square."""


def augment(batch: ImageBatch, settings: AugmentationSettings, seed: int, side: int) -> Augmented:
    """Crop, flip, move, and change the gray values of a batch at random.

    Each image's draws depend on (seed, epoch, index) alone. Masks, gaze maps and boxes go where their
    image goes, and keep their values.

    Raises:
        UserError: Images are flipped although their reports or boxes may tell left from right.
    """
    require_batch_unflipped(settings, batch)
    draws = Draws(seed, batch.epochs, batch.indices)
    augmented = _window(batch, draw_windows(batch.images.sizes, settings, draws), side, settings.interpolation)
    if settings.affine is not None:
        augmented = _move(augmented, draw_motions(settings.affine, draws))
    return Augmented(_vary(augmented.images, settings, draws), augmented.masks, augmented.gaze, augmented.boxes)


def plain(batch: ImageBatch, side: int) -> Augmented:
    """Squash each whole image to the square, bicubic and antialiased; one of that size already stays as it is."""
    return _window(batch, Windows.whole(len(batch)), side, "bicubic")


def _window(batch: ImageBatch, windows: Windows, side: int, interpolation: Interpolation) -> Augmented:
    return Augmented(
        images=resample(batch.images, windows, side, interpolation),
        masks=None if batch.masks is None else resample(batch.masks, windows, side, "nearest"),
        gaze=None if batch.gaze is None else resample(batch.gaze, windows, side, "bilinear"),
        boxes=None if batch.boxes is None else crop_boxes(batch.boxes, windows),
    )


def _move(augmented: Augmented, motions: Motions) -> Augmented:
    return Augmented(
        images=move_planes(augmented.images, motions, "bilinear"),
        masks=None if augmented.masks is None else move_planes(augmented.masks, motions, "nearest"),
        gaze=None if augmented.gaze is None else move_planes(augmented.gaze, motions, "bilinear"),
        boxes=None if augmented.boxes is None else move_boxes(augmented.boxes, motions),
    )


def _vary(images: Tensor, settings: AugmentationSettings, draws: Draws) -> Tensor:
    if settings.intensity is not None:
        images = change_intensity(images, settings.intensity, draws)
    if settings.blur is not None:
        images = blur(images, settings.blur, draws)
    return images if settings.erasing is None else erase(images, settings.erasing, draws)

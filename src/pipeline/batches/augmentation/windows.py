"""Random resized crops and flips as windows."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.batches.augmentation.draws import Draws, Uniforms, between, between_in_ratio
from pipeline.batches.resampling import Windows
from pipeline.settings.augmentation import AugmentationSettings

_TRIES = 10  # torchvision's: a crop that does not fit its image is drawn again so often


def draw_windows(sizes: Tensor, settings: AugmentationSettings, draws: Draws) -> Windows:
    """Draw a crop of whole pixels for each image, and whether it is flipped.

    Area and aspect ratio follow torchvision's `RandomResizedCrop` on images of the given `sizes`
    [B, 2], height and width: ten tries, then the largest central crop whose ratio is allowed.
    """
    image = sizes.cpu().numpy().astype(np.float64)  # [B, 2]
    uniforms = draws.columns("crop", 2 * _TRIES + 2)
    crop = _crop_sizes(image, settings, uniforms[:_TRIES], uniforms[_TRIES : 2 * _TRIES])
    central = np.isnan(crop)
    crop = np.where(central, _central_crop(image, settings), crop)
    room = image - crop
    corner = np.where(central, room // 2, np.floor(uniforms[2 * _TRIES :].T * (room + 1)))
    (top, left), (height, width) = (torch.from_numpy(part / image).unbind(1) for part in (corner, crop))
    mirrored = draws.columns("flip", 1)[0] < (0.5 if settings.flip else 0.0)
    return Windows(left, top, width, height, torch.from_numpy(mirrored))


def _crop_sizes(
    image: NDArray[np.float64], settings: AugmentationSettings, areas: Uniforms, ratios: Uniforms
) -> NDArray[np.float64]:
    """Return each image's first height and width of the tries [_TRIES, B] that fit it, [B, 2]; NaN where none does."""
    area = between(areas, settings.crop_scale) * image.prod(axis=1)
    ratio = between_in_ratio(ratios, settings.crop_ratio)
    tries = np.rint(np.stack([np.sqrt(area / ratio), np.sqrt(area * ratio)], axis=-1))
    fits = ((tries > 0) & (tries <= image)).all(axis=-1)
    first: NDArray[np.float64] = tries[fits.argmax(axis=0), np.arange(len(image))]
    first[~fits.any(axis=0)] = np.nan
    return first


def _central_crop(image: NDArray[np.float64], settings: AugmentationSettings) -> NDArray[np.float64]:
    """Return height and width [B, 2] of the largest crop whose ratio is allowed."""
    height, width = image.T
    narrowest, widest = settings.crop_ratio
    crop = np.stack([np.minimum(height, width / narrowest), np.minimum(width, height * widest)], axis=1)
    whole_pixels: NDArray[np.float64] = np.maximum(np.rint(crop), 1)
    return whole_pixels

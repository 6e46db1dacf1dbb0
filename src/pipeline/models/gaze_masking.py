"""Which patches to hide, given where a reader looked.

Zhao et al. 2025, CXR-MIM (spec CXR-MIM B4). Nothing here asks the device for a value, and no shape depends on one.
Shapes: B images, N patches, K visible, M = N - K masked, S pixels along each side.
"""

import torch
from torch import Tensor

from pipeline.models.patches import to_patches

_LEVELS = 256


def otsu_foreground(gaze: Tensor) -> Tensor:
    """Tell the pixels that were looked at from the others, by a threshold for each map.

    Otsu's threshold is the lowest level, of 256, that parts a map into two classes of which the means differ most, by
    the variance between them (Otsu 1979; `THRESH_OTSU` of OpenCV, whose rounding may decide otherwise where two
    thresholds are equally good).

    Args:
        gaze: float [B, 1, S, S], 0.0 to 1.0.

    Returns:
        bool [B, 1, S, S], True above the threshold; False everywhere in a map of one level.
    """
    levels = (gaze * (_LEVELS - 1)).round().long()
    return levels > _thresholds(_histograms(levels.flatten(1))).view(-1, 1, 1, 1)


def clinical_patches(foreground: Tensor, patch_size: int) -> Tensor:
    """Return the patches of which at least half the pixels are foreground: bool [B, 1, S, S] to bool [B, N]."""
    return to_patches(foreground, patch_size).sum(-1) * 2 >= patch_size**2


def mask_patches(clinical: Tensor, noise: Tensor, masked: int, clinical_ratio: float) -> tuple[Tensor, Tensor]:
    """Draw the patches to hide, the same number in every image.

    Of the clinical patches floor(number * `clinical_ratio`) are hidden, at most `masked`, and of the others as many as
    remain; where these are too few, more clinical ones. Without clinical patches all are hidden alike.

    Args:
        clinical: bool [B, N].
        noise: [B, N]; in each of the two groups the patches with the highest values are hidden.
        masked: M, the number of patches to hide in each image.
        clinical_ratio: Share of the clinical patches to hide, 0.0 to 1.0.

    Returns:
        Visible [B, K] and masked [B, M] patches, int64, both in raster order.
    """
    count, patches = clinical.sum(1, keepdim=True), clinical.shape[1]
    wanted = (count.double() * clinical_ratio).floor().long().clamp(max=masked)
    others = torch.minimum(masked - wanted, patches - count)
    order = _clinical_first(clinical, noise)
    place = torch.arange(patches, device=clinical.device)
    chosen = (place < masked - others) | ((place >= count) & (place < count + others))
    hidden = torch.zeros_like(clinical).scatter(1, order, chosen)
    raster = _stable_order(hidden)
    return raster[:, : patches - masked], raster[:, patches - masked :]


def _histograms(levels: Tensor) -> Tensor:
    """Count the pixels of each level: int64 [B, S * S] to int64 [B, 256]."""
    counts = levels.new_zeros(len(levels), _LEVELS)
    return counts.scatter_add_(1, levels, torch.ones_like(levels))  # of integers, so that their order is nothing


def _thresholds(histograms: Tensor) -> Tensor:
    """Return Otsu's threshold of each histogram [B, 256]; the last level for one of a single level.

    With w of n pixels at or below a level, and sums s of theirs and t of all gray values, the variance between the
    classes is (t * w - n * s)^2 / (w * (n - w)), up to a factor; the base is exact in int64 below 10^8 pixels.
    """
    below = histograms.cumsum(1)
    sums = (histograms * torch.arange(_LEVELS, device=histograms.device)).cumsum(1)
    pixels, total = below[:, -1:], sums[:, -1:]
    apart = (total * below - pixels * sums).double().square()
    variance = apart / (below * (pixels - below)).clamp(min=1)
    return torch.where(variance.amax(1) > 0, variance.argmax(1), _LEVELS - 1)  # argmax gives the first of equals


def _clinical_first(clinical: Tensor, noise: Tensor) -> Tensor:
    """Return the patches in the order of falling noise, the clinical ones before the others, int64 [B, N]."""
    falling = noise.argsort(dim=1, descending=True, stable=True)
    return falling.gather(1, _stable_order(~clinical.gather(1, falling)))


def _stable_order(flags: Tensor) -> Tensor:
    """Return the places of False, then those of True, both ascending: bool [B, N] to int64 [B, N]."""
    return flags.byte().argsort(dim=1, stable=True)

"""Changes of brightness, contrast and gamma."""

from torch import Tensor

from pipeline.batches.augmentation.draws import Draws, around, change_some, per_image
from pipeline.settings.augmentation import IntensitySettings


def change_intensity(images: Tensor, settings: IntensitySettings, draws: Draws) -> Tensor:
    """Change the gray values of some images [B, 1, S, S]: gamma, contrast about the mean, then brightness.

    Gamma comes first, while all values still lie between 0.0 and 1.0; what leaves that range in the end is cut off.
    """
    chance, *rest = draws.columns("intensity", 4)
    chosen = chance < settings.probability
    brightness, contrast, gamma = (column[chosen] for column in rest)

    def change(some: Tensor) -> Tensor:
        some = some.pow(per_image(around(gamma, 0, settings.gamma), some).exp())
        mean = some.mean((1, 2, 3), keepdim=True)
        some = mean + per_image(around(contrast, 1, settings.contrast), some) * (some - mean)
        return (some * per_image(around(brightness, 1, settings.brightness), some)).clamp(0, 1)

    return change_some(images, chosen, change)

"""Settings of how training images are varied; every draw is keyed by (seed, epoch, image)."""

from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from pipeline.settings.base import Fraction, Settings


class AffineSettings(Settings):
    """Turn, shift and scale some images about their centre."""

    probability: Fraction = 0.5
    """Share of the images that are moved."""
    rotation: float = Field(default=10.0, ge=0, le=180)
    """Largest turn to either side, degrees."""
    translation: Fraction = 0.1
    """Largest shift along each axis, share of the side."""
    zoom: tuple[PositiveFloat, PositiveFloat] = (0.9, 1.1)
    """Smallest and largest magnification."""

    @model_validator(mode="after")
    def _range(self) -> "AffineSettings":
        _require_ascending("zoom", self.zoom)
        return self


class IntensitySettings(Settings):
    """Change brightness, contrast and gamma of some images."""

    probability: Fraction = 0.5
    """Share of the images that are changed."""
    brightness: Fraction = 0.2
    """Largest relative change of all gray values."""
    contrast: Fraction = 0.2
    """Largest relative change of the distance from the image's mean."""
    gamma: Fraction = 0.0
    """Largest change of the exponent's natural logarithm."""


class BlurSettings(Settings):
    """Blur some images by a Gaussian."""

    probability: Fraction = 0.15
    """Share of the images that are blurred."""
    sigma: tuple[PositiveFloat, PositiveFloat] = (0.1, 2.0)
    """Smallest and largest standard deviation, pixels of the network's input."""

    @model_validator(mode="after")
    def _range(self) -> "BlurSettings":
        _require_ascending("sigma", self.sigma)
        return self


class ErasingSettings(Settings):
    """Paint a rectangle of some images in the image's mean gray (Zhong et al. 2020)."""

    probability: Fraction = 0.25
    """Share of the images that lose a rectangle."""
    area: tuple[Fraction, Fraction] = (0.02, 0.1)
    """Smallest and largest share of the image that is painted."""
    ratio: tuple[PositiveFloat, PositiveFloat] = (0.3, 3.3)
    """Smallest and largest aspect ratio of the rectangle, width over height."""

    @model_validator(mode="after")
    def _ranges(self) -> "ErasingSettings":
        _require_ascending("area", self.area)
        _require_ascending("ratio", self.ratio)
        return self


class AugmentationSettings(Settings):
    """Vary training images; masks, gaze maps and boxes move with their image."""

    crop_scale: tuple[Fraction, Fraction] = (0.5, 1.0)
    """Smallest and largest share of the image area a random crop covers."""
    crop_ratio: tuple[PositiveFloat, PositiveFloat] = (3 / 4, 4 / 3)
    """Smallest and largest aspect ratio of a crop, width over height, in pixels of the image."""
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    """Filter that crops are resized by; always antialiased."""
    flip: bool = True
    """Whether half of the images are mirrored, which swaps left and right: refused where reports, boxes or structures
    of one side are read."""
    affine: AffineSettings | None = None
    """Small turns, shifts and zooms after the crop; unset, none."""
    intensity: IntensitySettings | None = None
    """Changes of gray values; unset, none."""
    blur: BlurSettings | None = None
    """Gaussian blur; unset, none."""
    erasing: ErasingSettings | None = None
    """Erased rectangles; unset, none."""

    @model_validator(mode="after")
    def _ranges(self) -> "AugmentationSettings":
        _require_ascending("crop_scale", self.crop_scale)
        _require_ascending("crop_ratio", self.crop_ratio)
        return self


def _require_ascending(name: str, bounds: tuple[float, float]) -> None:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{name} must be (smallest, largest), got {bounds[0]} above {bounds[1]}")

"""Settings of an encoder: its shape, and how the images that it takes are normalised."""

import re
from typing import Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from pipeline.settings.base import Fraction, Settings

Positive3 = tuple[PositiveFloat, PositiveFloat, PositiveFloat]
Fraction3 = tuple[Fraction, Fraction, Fraction]


_DEPTHS = {"tiny": 12, "small": 12, "base": 12, "large": 24, "huge": 32}


class Normalisation(Settings):
    """Centre and scale gray values; three numbers are for the three channels of a repeated gray image."""

    mean: Fraction | Fraction3 = 0.5056
    """Mean subtracted from pixels in [0, 1]; the default is ChestX-ray14's (spec Medical MAE A1)."""
    std: PositiveFloat | Positive3 = 0.252
    """Standard deviation the centred pixels are divided by."""

    def of_channels(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of each channel. Raises `ValueError` for three numbers of one channel."""
        return _repeat(self.mean, channels), _repeat(self.std, channels)


class EncoderSettings(Normalisation):
    """Shape a timm vision transformer; unset numbers are the named architecture's own."""

    architecture: str = "vit_small_patch16_224"
    """Name of a timm vision transformer."""
    image_size: int = Field(default=224, gt=0)
    """Side of the square input, pixels."""
    patch_size: int = Field(default=16, gt=0)
    """Side of a patch, pixels; divides `image_size`."""
    channels: Literal[1, 3] = 1
    """Input channels; 3 repeats the gray image, for compatibility with published weights."""
    width: int | None = Field(default=None, gt=0)
    """Token dimension."""
    depth: int | None = Field(default=None, gt=0)
    """Number of transformer blocks."""
    heads: int | None = Field(default=None, gt=0)
    """Attention heads per block; divides the width."""

    @model_validator(mode="before")
    @classmethod
    def _sizes_are_those_of_the_name(cls, values: Any) -> Any:
        """Take patch and image size from a name like `vit_huge_patch14_224`, where they are not given."""
        if not isinstance(values, dict):
            return values
        name = str(values.get("architecture", ""))
        patch, sides = re.search(r"_patch(\d+)", name), re.findall(r"_(\d{3,4})(?=_|\.|$)", name)
        named = ({"patch_size": int(patch[1])} if patch else {}) | ({"image_size": int(sides[-1])} if sides else {})
        return named | values

    @property
    def blocks(self) -> int | None:
        """Return the number of transformer blocks, where it is set or the name is one of the common ones."""
        family = re.fullmatch(r"vit_(tiny|small|base|large|huge)_patch\d+_\d+", self.architecture)
        return self.depth or (_DEPTHS[family[1]] if family else None)

    @property
    def rows(self) -> int:
        """Return the number of rows, and of columns, of patches."""
        return self.image_size // self.patch_size

    @model_validator(mode="after")
    def _patches_tile_the_image(self) -> "EncoderSettings":
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")
        return self

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "EncoderSettings":
        if self.width is not None:
            require_shape("", self.width, self.heads or 1)
        return self

    @model_validator(mode="after")
    def _each_channel_is_normalised(self) -> "EncoderSettings":
        self.of_channels(self.channels)
        return self


def require_shape(prefix: str, width: int, heads: int) -> None:
    """Raise `ValueError` where `heads` do not share a width, or sine-cosine positions do not fill it."""
    if width % heads:
        raise ValueError(f"{prefix}heads {heads} does not divide {prefix}width {width}")
    if width % 4:
        raise ValueError(f"{prefix}width {width} is not a multiple of 4, which the sine-cosine positions need")


def _repeat(value: float | tuple[float, ...], channels: int) -> tuple[float, ...]:
    if not isinstance(value, tuple):
        return (value,) * channels
    if len(value) != channels:
        raise ValueError(f"mean and std have {len(value)} numbers each, for {channels} channel; give one")
    return value

"""Settings of the encoders that are not trained here: the controls every number stands beside."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Name, Settings


class RandomEncoderSettings(Settings):
    """Give the architecture of a run with fresh weights: what the probe gains without pretraining."""

    kind: Literal["random"]
    like: Name
    """Name of the pretraining run whose architecture is taken."""
    seed: int = 0
    """Seed of the weights."""


class PixelsEncoderSettings(Settings):
    """Give the image itself, shrunk, as the feature vector: what needs no network at all."""

    kind: Literal["pixels"]
    side: int = Field(default=32, gt=0)
    """Side of the shrunk square image; the features are its side * side gray values."""


ControlSettings = Annotated[RandomEncoderSettings | PixelsEncoderSettings, Field(discriminator="kind")]

"""Settings of feature extraction."""

from pydantic import Field

from pipeline.settings.base import Settings


class FeatureSettings(Settings):
    """Compute features of whole corpora."""

    batch_size: int = Field(default=256, gt=0)
    """Images encoded at a time; changes speed, and the last bits of the features."""
    pixels_side: int = Field(default=64, gt=0)
    """Side the images are squashed to before the pixel baseline shrinks them, pixels."""

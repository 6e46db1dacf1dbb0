"""Settings of the encoders that are not trained here: the controls every number stands beside."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Name, Settings
from pipeline.settings.encoder import EncoderSettings


class RandomEncoderSettings(Settings):
    """Give the architecture of a run with fresh weights: what the probe gains without pretraining."""

    kind: Literal["random"]
    like: Name
    """Name of the pretraining run, or foreign encoder, whose architecture is taken."""
    seed: int = 0
    """Seed of the weights."""


class PixelsEncoderSettings(Settings):
    """Give the image itself, shrunk, as the feature vector: what needs no network at all."""

    kind: Literal["pixels"]
    side: int = Field(default=32, gt=0)
    """Side of the shrunk square image; the features are its side * side gray values."""


class ForeignEncoderSettings(Settings):
    """Take an encoder that others trained, from a checkpoint of theirs."""

    kind: Literal["foreign"]
    format: Literal["timm", "mae", "medical_mae", "cxr_mim"]
    """Whose names the checkpoint's tensors have: timm's, those of He et al.'s code, of Medical MAE's, or of CXR-MIM's
    (spec Medical MAE A2, CXR-MIM B1)."""
    encoder: EncoderSettings
    """Shape of the checkpoint's encoder, and how the images that it was trained on were normalised."""
    file: str | None = None
    """The checkpoint on this machine."""
    repository: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    """Or a repository of the Hugging Face hub that holds it, `owner/name`."""
    revision: str = "main"
    """Commit, tag or branch of the repository."""
    weights: str = "model.safetensors"
    """The checkpoint's path in the repository."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Digest of the file; another file is refused."""
    licence: str
    """Terms of its publisher, for the model card."""
    provenance: str
    """Who trained it, on what, and where that is written, for the model card."""
    trained_on: tuple[Name, ...] = ()
    """Corpora of this configuration that it was trained on, so that the leakage audit compares their train and val
    splits with what it is tested on, and its card, and those of runs that start from it, state their terms. Corpora
    that the configuration does not hold cannot be audited."""

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> "ForeignEncoderSettings":
        if (self.file is None) == (self.repository is None):
            raise ValueError("give either file or repository: where the checkpoint comes from")
        return self


ControlSettings = Annotated[
    RandomEncoderSettings | PixelsEncoderSettings | ForeignEncoderSettings, Field(discriminator="kind")
]
"""An encoder that is not trained here."""

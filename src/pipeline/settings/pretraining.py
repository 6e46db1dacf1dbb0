"""Settings of one pretraining run: what is learnt, from which corpora, how it is optimised."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from pipeline.settings.augmentation import AugmentationSettings
from pipeline.settings.base import Fraction, Name, Settings
from pipeline.settings.training import TrainingSettings


class EncoderSettings(Settings):
    """Shape a timm vision transformer; unset numbers keep the named architecture's own."""

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
    mean: Fraction = 0.5056
    """Mean subtracted from pixels in [0, 1]; the default is ChestX-ray14's (spec Medical MAE A1)."""
    std: float = Field(default=0.252, gt=0)
    """Standard deviation the centred pixels are divided by."""

    @model_validator(mode="after")
    def _patches_tile_the_image(self) -> "EncoderSettings":
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")
        return self

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "EncoderSettings":
        if self.width is not None:
            _require_shape("", self.width, self.heads or 1)
        return self


class MaskedAutoencoderSettings(Settings):
    """Reconstruct masked patches from the visible ones (He et al. 2022; spec Medical MAE A1)."""

    kind: Literal["mae"]
    mask_ratio: float = Field(default=0.9, gt=0, lt=1)
    """Share of the patches that is hidden; int(patches * (1 - mask_ratio)) stay visible."""
    norm_pix: bool = False
    """Whether each target patch is normalised by its own mean and variance."""
    decoder_width: int = Field(default=512, gt=0)
    """Token dimension of the decoder."""
    decoder_depth: int = Field(default=2, gt=0)
    """Number of decoder blocks."""
    decoder_heads: int = Field(default=16, gt=0)
    """Attention heads per decoder block."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "MaskedAutoencoderSettings":
        _require_shape("decoder_", self.decoder_width, self.decoder_heads)
        return self


class PretrainingSettings(TrainingSettings):
    """Describe one pretraining run completely."""

    task: MaskedAutoencoderSettings
    """What is learnt."""
    encoder: EncoderSettings
    """The encoder that is trained."""
    corpora: tuple[Name, ...] = Field(min_length=1)
    """Corpora whose train splits are mixed."""
    mixing: dict[Name, PositiveFloat] | None = None
    """Relative number of images drawn from each corpus, whose epochs then have lengths of their own; unset, every
    image of every corpus appears once per epoch."""
    views: tuple[Literal["AP", "PA", "LATERAL", "UNKNOWN"], ...] = ()
    """Views that are trained and validated on; empty for all."""
    read_size: int | None = Field(default=None, gt=0)
    """Short side, pixels, that stored JPEGs need at least have when decoded for training: larger ones are decoded at
    the smallest eighth that has it (spec performance 2.1); unset, as stored. Features are always computed from images
    as stored."""
    max_bad: int = Field(default=0, ge=0)
    """Damaged samples that are set aside and listed before the run stops; each record that follows states how many."""
    augmentation: AugmentationSettings = AugmentationSettings()
    """How training images are varied."""
    validation_images: int = Field(default=512, gt=0)
    """Images of the val splits, at most, on which the loss is followed with fixed masks."""

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the settings that shape the weights, as plain data; the others only say how the run is watched."""
        watching = {"log_every", "max_bad"}
        if self.early_stopping is None:
            watching |= {"validate_every", "validation_images"}
        return self.model_dump(mode="json", exclude=watching)

    @model_validator(mode="after")
    def _every_corpus_is_mixed(self) -> "PretrainingSettings":
        if self.mixing is not None and set(self.mixing) != set(self.corpora):
            odd = ", ".join(sorted(set(self.mixing) ^ set(self.corpora)))
            raise ValueError(f"mixing must give a weight to each of the corpora and to no other; differs in: {odd}")
        return self

    @model_validator(mode="after")
    def _something_stays_visible(self) -> "PretrainingSettings":
        patches = (self.encoder.image_size // self.encoder.patch_size) ** 2
        if int(patches * (1 - self.task.mask_ratio)) < 1:
            raise ValueError(f"mask_ratio {self.task.mask_ratio} leaves none of {patches} patches visible")
        return self


def _require_shape(prefix: str, width: int, heads: int) -> None:
    if width % heads:
        raise ValueError(f"{prefix}heads {heads} does not divide {prefix}width {width}")
    if width % 4:
        raise ValueError(f"{prefix}width {width} is not a multiple of 4, which the sine-cosine positions need")

"""Settings of what an encoder is pretrained by."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.settings.base import Fraction, Settings
from pipeline.settings.encoder import require_shape

_SCALES = (4.0, 2.0, 1.0, 0.5)


class MaskedAutoencoderSettings(Settings):
    """Reconstruct masked patches from the visible ones (He et al. 2022; spec Medical MAE A1)."""

    kind: Literal["mae"]
    mask_ratio: float = Field(default=0.9, gt=0, lt=1)
    """Share of the patches that is hidden; int(patches * (1 - mask_ratio)) stay visible."""
    norm_pix: bool = False
    """Whether each target patch is normalised by its own mean and variance."""
    decoder: Literal["mae", "cross"] = "mae"
    """What predicts hidden patches: `mae` lets all tokens attend to each other; `cross` lets each hidden patch ask the
    encoded visible ones alone, which costs less (Fu et al. 2024, CrossMAE)."""
    kept_ratio: float = Field(default=1.0, gt=0, le=1)
    """Share of the hidden patches that a training step predicts; below 1 for the decoder `cross` only."""
    decoder_width: int = Field(default=512, gt=0)
    """Token dimension of the decoder."""
    decoder_depth: int = Field(default=2, gt=0)
    """Number of decoder blocks."""
    decoder_heads: int = Field(default=16, gt=0)
    """Attention heads per decoder block."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "MaskedAutoencoderSettings":
        require_shape("decoder_", self.decoder_width, self.decoder_heads)
        return self

    @model_validator(mode="after")
    def _only_independent_patches_are_left_out(self) -> "MaskedAutoencoderSettings":
        if self.decoder == "mae" and self.kept_ratio < 1:
            raise ValueError("kept_ratio below 1 needs decoder 'cross': with 'mae' hidden patches attend to each other")
        return self


class CxrMimSettings(Settings):
    """Predict a pyramid of oriented gradients of masked patches, masked and weighted by where readers looked.

    Zhao et al. 2025, CXR-MIM (spec CXR-MIM B1 to B6).
    """

    kind: Literal["cxr_mim"]
    mask_ratio: float = Field(default=0.75, gt=0, lt=1)
    """Share of the patches that is hidden; int(patches * mask_ratio) of them, for every image."""
    masking: Literal["gaze", "random"] = "gaze"
    """Whether the patches that readers looked at are masked at a rate of their own, or all alike. The published command
    reads the gaze maps in a way that leaves no such patch, and so masks at random (spec B6.1)."""
    clinical_ratio: Fraction = 0.5
    """Share of the patches that readers looked at that is hidden, as far as the mask ratio allows; the others are
    hidden more often where it is below `mask_ratio`."""
    gaze_weighting: Literal["rescaled", "published", "off"] = "rescaled"
    """How the loss is weighted by gaze: `rescaled` over the hidden cells, `published` adds weights that sum to 1 to
    masks that sum to hundreds and so changes next to nothing (spec B6.3), `off` weights all hidden cells alike."""
    gaze_strength: float = Field(default=1.0, ge=0)
    """Total weight of gaze over that of the mask, for `rescaled` weights."""
    gaze_temperature: float = Field(default=0.1, gt=0)
    """Gaze, 0.0 to 1.0, over which weights grow e-fold."""
    taps: tuple[int, ...] = (1, 3, 9, 11)
    """Encoder blocks, counted from 0, after which features are taken, one decoder each; ascending."""
    scales: tuple[float, ...] = (4.0, 2.0, 1.0, 0.5)
    """Cells per patch along each side that each tap predicts, in the order of `taps`; 4, 2, 1 or 0.5."""
    decoder_width: int = Field(default=256, gt=0)
    """Token dimension of each decoder."""
    decoder_depth: int = Field(default=1, gt=0)
    """Blocks of each decoder."""
    decoder_heads: int = Field(default=8, gt=0)
    """Attention heads per decoder block."""
    orientations: int = Field(default=9, gt=1)
    """Bins of a histogram, over half a turn."""
    binning: Literal["linear", "hard"] = "linear"
    """How a gradient is counted: `linear` shares it between the two nearest bins, whose centres lie at multiples of
    their width; `hard`, as published, gives it to one, whose edges lie there, so that the least noise turns the
    histogram of an upright edge around (spec B6.6)."""

    @field_validator("gaze_weighting", mode="before")
    @classmethod
    def _yaml_reads_off_as_false(cls, value: object) -> object:
        return "off" if value is False else value

    @property
    def reads_gaze(self) -> bool:
        """Tell whether gaze maps have to be read."""
        return self.masking == "gaze" or self.gaze_weighting != "off"

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "CxrMimSettings":
        require_shape("decoder_", self.decoder_width, self.decoder_heads)
        return self

    @model_validator(mode="after")
    def _each_tap_has_a_scale(self) -> "CxrMimSettings":
        if len(self.taps) != len(self.scales) or not self.taps:
            raise ValueError(f"taps names {len(self.taps)} blocks and scales {len(self.scales)} scales; pair them")
        if list(self.taps) != sorted(set(self.taps)) or self.taps[0] < 0:
            raise ValueError(f"taps {list(self.taps)} must ascend from 0 or above")
        for scale in self.scales:
            if scale not in _SCALES:
                raise ValueError(
                    f"scales holds {scale:g}; a decoder can predict {', '.join(f'{s:g}' for s in _SCALES)}"
                )
        return self


MethodSettings = Annotated[MaskedAutoencoderSettings | CxrMimSettings, Field(discriminator="kind")]
"""What an encoder is pretrained by."""

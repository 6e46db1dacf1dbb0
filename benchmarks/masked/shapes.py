"""The shapes that are compared: encoders of 224 px and patches of 16, 90 % masked, and their decoders."""

from dataclasses import dataclass
from typing import Any, Self

from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import MaskedAutoencoderSettings

PEER_CHANNELS = 3
"""What the published models take; gray images are repeated."""


@dataclass(frozen=True)
class Shape:
    """Say what is trained."""

    name: str
    encoder: EncoderSettings
    """With its width, depth and heads."""
    method: MaskedAutoencoderSettings

    def peer(self) -> Self:
        """Return the shape of Hugging Face's model of the same size, which has one kind of decoder."""
        encoder = self.encoder.model_copy(update={"channels": PEER_CHANNELS})
        return type(self)(self.name, encoder, self.method.model_copy(update={"decoder": "mae", "kept_ratio": 1.0}))


def shape(name: str, encoder: EncoderSettings, **decoder: Any) -> Shape:
    """Return a shape with a decoder 512 wide."""
    settings = {"kind": "mae", "mask_ratio": 0.9, "decoder_width": 512, "decoder_heads": 16} | decoder
    return Shape(name, encoder, MaskedAutoencoderSettings.model_validate(settings))


SMALL = EncoderSettings(architecture="vit_small_patch16_224", width=384, depth=12, heads=6)
BASE = EncoderSettings(architecture="vit_base_patch16_224", width=768, depth=12, heads=12)

DEEP: dict[str, Any] = {"decoder_depth": 8}
SHALLOW: dict[str, Any] = {"decoder_depth": 2}
CROSS: dict[str, Any] = {"decoder": "cross", "kept_ratio": 0.25, "decoder_depth": 8}

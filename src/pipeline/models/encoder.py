"""Vision transformer encoders: timm models, so that their weights are timm weights."""

from typing import Any, NamedTuple, cast

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from pipeline.models.patches import sincos_positions
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings, Normalisation


def model_arguments(settings: EncoderSettings) -> dict[str, Any]:
    """Return the arguments `timm.create_model` takes beside the architecture's name."""
    given = {
        "img_size": settings.image_size,
        "patch_size": settings.patch_size,
        "in_chans": settings.channels,
        "embed_dim": settings.width,
        "depth": settings.depth,
        "num_heads": settings.heads,
        "num_classes": 0,
    }
    return {name: value for name, value in given.items() if value is not None}


def build_encoder(settings: EncoderSettings, seed: int) -> VisionTransformer:
    """Return an encoder with fresh weights drawn under `seed` and fixed sine-cosine positions.

    Linear layers are Xavier-uniform with zero bias, the class token N(0, 0.02) (spec Medical MAE A1).
    Raises `UserError` where timm has no vision transformer of that name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = _create(settings)
        class_token = embeddings(encoder).class_token
        encoder.apply(initialise_layer)
        weight = encoder.patch_embed.proj.weight
        nn.init.xavier_uniform_(weight.view(weight.shape[0], -1))
        nn.init.zeros_(encoder.patch_embed.proj.bias)
        nn.init.normal_(class_token, std=0.02)
    encoder.pos_embed = nn.Parameter(sincos_positions(encoder.embed_dim, settings.rows), requires_grad=False)
    return encoder


class Embeddings(NamedTuple):
    """Hold what an encoder adds to its patch tokens."""

    class_token: Tensor
    """[1, 1, D]."""
    positions: Tensor
    """[1, 1 + N, D], the class token's first."""


def embeddings(encoder: VisionTransformer) -> Embeddings:
    """Return the class token and positions. Raises `UserError` for another kind of vision transformer."""
    plain = isinstance(encoder.norm_pre, nn.Identity) and encoder.patch_embed.proj.bias is not None
    if encoder.cls_token is None or encoder.pos_embed is None or encoder.num_prefix_tokens != 1 or not plain:
        raise UserError(
            "the encoder's architecture is no plain vision transformer: it lacks a class token, positions or the "
            "bias of its patch embedding, or normalises before its blocks; choose one like 'vit_small_patch16_224'"
        )
    return Embeddings(encoder.cls_token, encoder.pos_embed)


def initialise_layer(layer: nn.Module) -> None:
    """Initialise one linear layer or layer norm."""
    if isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.LayerNorm):
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)


def normalise(pixels: Tensor, settings: EncoderSettings) -> Tensor:
    """Turn pixels [B, 1, H, W] in 0.0 to 1.0 into the encoder's input [B, channels, H, W]."""
    mean, std = channel_values(settings, settings.channels, pixels)
    return (pixels - mean) / std


def channel_values(normalisation: Normalisation, channels: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation [1, channels, 1, 1] on the device of another tensor, in its format."""
    numbers = torch.tensor(normalisation.of_channels(channels), dtype=like.dtype)
    mean, std = numbers.to(like.device, non_blocking=True).view(2, 1, -1, 1, 1)
    return mean, std


def _create(settings: EncoderSettings) -> VisionTransformer:
    if settings.architecture not in timm.list_models("vit_*"):
        raise UserError(
            f"architecture '{settings.architecture}' is not a vision transformer of timm {timm.__version__}; "
            "`timm.list_models('vit_*')` lists them"
        )
    return cast(VisionTransformer, timm.create_model(settings.architecture, **model_arguments(settings)))

"""Weights of one encoder rewritten for another input: its channels, its normalisation, its image size.

The patch embedding is linear in the gray value g of a pixel: it sums w_c * (g - m_c) / s_c over channels c and pixels,
and adds its bias. So whatever channels and normalisation the target has, weights and a bias exist that give the same
tokens on the same gray image, and they are written down here, not learnt again.
"""

from typing import NamedTuple, cast

import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor

from pipeline.models.encoder import model_arguments
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings

_WEIGHT = "patch_embed.proj.weight"
_BIAS = "patch_embed.proj.bias"
_POSITIONS = "pos_embed"


class Shape(NamedTuple):
    """Hold what two encoders need to have in common for one to take the other's weights."""

    architecture: str
    """Name of the timm vision transformer."""
    width: int
    """Token dimension."""
    depth: int
    """Number of transformer blocks."""
    heads: int
    """Attention heads per block."""
    patch_size: int
    """Side of a patch, pixels."""


def adapt(state: dict[str, Tensor], source: EncoderSettings, target: EncoderSettings) -> dict[str, Tensor]:
    """Convert an encoder's weights so that another one gives equal outputs on the same gray images.

    Outputs are equal whatever channels and normalisations the two have. Where image sizes differ, the positions of the
    patches are resampled and the class token's is kept, which equality does not survive. What needs no conversion
    comes back bit for bit.

    Args:
        state: The encoder's tensors under timm's names.
        source: Shape and normalisation of the encoder they belong to.
        target: Shape and normalisation of the encoder they are for.

    Raises:
        UserError: The two differ in architecture, width, depth, heads or patch size.
    """
    _require_equal_shapes(shape_of(source), shape_of(target))
    adapted = dict(state)
    adapted[_WEIGHT], adapted[_BIAS] = _fold(state[_WEIGHT], state[_BIAS], source, target)
    if source.rows != target.rows:
        adapted[_POSITIONS] = _resample(state[_POSITIONS], source.rows, target.rows)
    return adapted


def shape_of(settings: EncoderSettings) -> Shape:
    """Return the shape that settings give an encoder, with its architecture's own numbers where they give none."""
    with torch.device("meta"):
        encoder = cast(VisionTransformer, timm.create_model(settings.architecture, **model_arguments(settings)))
    heads = cast(int, cast(Block, encoder.blocks[0]).attn.num_heads)
    return Shape(settings.architecture, encoder.embed_dim, len(encoder.blocks), heads, settings.patch_size)


def _require_equal_shapes(source: Shape, target: Shape) -> None:
    for field, ours, theirs in zip(Shape._fields, target, source, strict=True):
        if ours != theirs:
            name = field.replace("_", " ")
            raise UserError(
                f"weights of an encoder with {name} {theirs} cannot be converted for one with {name} {ours}; "
                f"give the run that starts from them the encoder setting {field}: {theirs}"
            )


def _fold(weight: Tensor, bias: Tensor, source: EncoderSettings, target: EncoderSettings) -> tuple[Tensor, Tensor]:
    """Return weight [D, target channels, p, p] and bias [D] of the same function of gray values.

    In doubles: dividing by a deviation and multiplying by it again then gives back the same single.
    """
    mean, std = _numbers(source)
    of_gray = weight.double() / std
    offset = bias.double(), (of_gray * mean).sum((1, 2, 3))
    mean, std = _numbers(target)
    of_gray = _redistribute(of_gray, target.channels)
    new_bias = offset[0] + ((of_gray * mean).sum((1, 2, 3)) - offset[1])
    return (of_gray * std).to(weight.dtype), new_bias.to(bias.dtype)


def _redistribute(of_gray: Tensor, channels: int) -> Tensor:
    """Add weights [D, C, p, p] up, or share them out, over another number of equal channels."""
    if of_gray.shape[1] == channels:
        return of_gray
    return of_gray.sum(1, keepdim=True).expand(-1, channels, -1, -1) / channels


def _numbers(settings: EncoderSettings) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, float64 [C, 1, 1]."""
    mean, std = torch.tensor(settings.of_channels(settings.channels), dtype=torch.float64).view(2, -1, 1, 1)
    return mean, std


def _resample(positions: Tensor, rows: int, new_rows: int) -> Tensor:
    """Resample positions [1, 1 + rows * rows, D], bicubic and antialiased, but for the class token's."""
    resampled: Tensor = resample_abs_pos_embed(
        positions, [new_rows, new_rows], [rows, rows], num_prefix_tokens=1, interpolation="bicubic", antialias=True
    )
    return resampled

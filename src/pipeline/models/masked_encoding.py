"""A vision transformer on the visible patches alone.

Shapes: B images, K visible patches, D encoder width, P pixels per patch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional

from pipeline.models.attention import attention_to
from pipeline.models.encoder import embeddings
from pipeline.models.patches import take


class VisibleTokens(NamedTuple):
    """Hold what an encoder makes of the visible patches; the class token comes first."""

    final: Tensor
    """[B, 1 + K, D] after the last block and the encoder's own norm."""
    taps: tuple[Tensor, ...]
    """[B, 1 + K, D] each, after the blocks asked for, before any norm."""


def encode_visible(
    encoder: VisionTransformer, patches: Tensor, visible: Tensor, taps: Sequence[int] = ()
) -> VisibleTokens:
    """Encode the visible patches only; hidden ones are never embedded.

    Args:
        encoder: A plain vision transformer with a class token.
        patches: [B, K, P], the pixels of the visible patches, in the layout of `to_patches`.
        visible: [B, K] int64, where in the image they are; any order.
        taps: Blocks, counted from 0, whose outputs are returned too.

    Raises:
        UserError: The encoder is another kind of vision transformer.
    """
    x = _embed(encoder, patches, visible)
    outputs: dict[int, Tensor] = {}
    with attention_to(x):
        for number, block in enumerate(encoder.blocks):
            x = block(x)
            if number in taps:
                outputs[number] = x
    return VisibleTokens(encoder.norm(x), tuple(outputs[tap] for tap in taps))


def _embed(encoder: VisionTransformer, patches: Tensor, visible: Tensor) -> Tensor:
    """Return the class token and the visible patches with their positions, [B, 1 + K, D].

    The convolution of the patch embedding never overlaps, so that it is one matrix product of each patch's pixels.
    """
    convolution = encoder.patch_embed.proj
    class_token, positions = embeddings(encoder)
    pixels = _channels_first(patches, convolution.weight.shape)
    tokens = functional.linear(pixels, convolution.weight.flatten(1), convolution.bias)
    first = (class_token + positions[:, :1]).expand(len(patches), -1, -1)
    return torch.cat([first, tokens + take(positions[:, 1:], visible)], dim=1)


def _channels_first(patches: Tensor, kernel: Sequence[int]) -> Tensor:
    """Order the pixels of patches [B, K, p * p * C] as a kernel [D, C, p, p] does; without a copy where C is 1.

    The pixels and not the weight, whose gradient would not lie in memory as the weight does: processes that share
    gradients would copy it at each step.
    """
    _, channels, rows, columns = kernel
    return patches.view(*patches.shape[:2], rows, columns, channels).movedim(-1, -3).flatten(-3)

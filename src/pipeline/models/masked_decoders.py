"""Decoders that predict the pixels of hidden patches from the encoded visible ones.

Shapes: B images, N patches, K visible, M of the hidden ones that are wanted, D encoder and W decoder width,
P pixels per patch.
"""

from functools import partial
from typing import cast

import torch
from timm.layers.attention import Attention
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.attention import attention_to
from pipeline.models.encoder import initialise_layer
from pipeline.models.patches import sincos_positions, take
from pipeline.settings.methods import MaskedAutoencoderSettings

_MLP_RATIO = 4

LayerNorm = partial(nn.LayerNorm, eps=1e-6)


class MaskedDecoder(nn.Module):
    """Share what both decoders begin and end with: embedded tokens with positions, and a head for pixels."""

    def __init__(self, encoder_width: int, rows: int, pixels: int, width: int, blocks: nn.ModuleList) -> None:
        """Prepare for images of rows * rows patches with `pixels` values each, and initialise all weights.

        Linear layers are Xavier-uniform with zero bias, the mask token N(0, 0.02), positions fixed sines and cosines
        (spec Medical MAE A1).
        """
        super().__init__()
        self.embed = nn.Linear(encoder_width, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(sincos_positions(width, rows), requires_grad=False)
        self.blocks = blocks
        self.norm = LayerNorm(width)
        self.head = nn.Linear(width, pixels)
        self.apply(initialise_layer)
        nn.init.normal_(self.mask_token, std=0.02)

    def embedded(self, encoded: Tensor, visible: Tensor) -> Tensor:
        """Turn encoded tokens [B, 1 + K, D] into decoder tokens with their positions, [B, 1 + K, W]."""
        first = self.positions[:, :1].expand(len(visible), -1, -1)
        tokens: Tensor = self.embed(encoded)
        return tokens + torch.cat([first, self.positions_of(visible)], dim=1)

    def blanks(self, wanted: Tensor) -> Tensor:
        """Return a mask token with its position for each wanted patch, [B, M, W]."""
        return self.mask_token + self.positions_of(wanted)

    def positions_of(self, places: Tensor) -> Tensor:
        """Return the positions of patches at places [B, K], as [B, K, W]."""
        return take(self.positions[:, 1:], places)

    def pixels(self, tokens: Tensor) -> Tensor:
        """Return the patches [B, M, P] that decoded tokens [B, M, W] stand for."""
        predicted: Tensor = self.head(self.norm(tokens))
        return predicted


class AttentionDecoder(MaskedDecoder):
    """Let the tokens of visible and hidden patches all attend to each other (He et al. 2022)."""

    def __init__(self, encoder_width: int, rows: int, pixels: int, settings: MaskedAutoencoderSettings) -> None:
        """Build `decoder_depth` blocks for images of rows * rows patches with `pixels` values each."""
        width, heads = settings.decoder_width, settings.decoder_heads
        blocks = (
            Block(width, heads, _MLP_RATIO, qkv_bias=True, norm_layer=LayerNorm)  # type: ignore[arg-type]
            for _ in range(settings.decoder_depth)
        )
        super().__init__(encoder_width, rows, pixels, width, nn.ModuleList(blocks))

    def forward(self, encoded: Tensor, visible: Tensor, wanted: Tensor) -> Tensor:
        """Turn encoded tokens [B, 1 + K, D] into the wanted patches [B, M, P], which are all that are hidden.

        Attention does not see the order of tokens, so visible and hidden ones are not put back into image order: each
        carries its position. In the last block only hidden ones ask, since nobody reads what the others would become.
        """
        x = torch.cat([self.embedded(encoded, visible), self.blanks(wanted)], dim=1)
        *blocks, last = self.blocks
        for block in blocks:
            x = block(x)
        return self.pixels(_last_tokens(cast(Block, last), x, wanted.shape[1]))


class CrossDecoder(MaskedDecoder):
    """Let each hidden patch ask the encoded visible ones, and no other hidden patch.

    After CrossMAE (Fu et al., Rethinking Patch Dependence for Masked Autoencoders, 2024): a mask token with the
    position of a hidden patch is refined by blocks of cross-attention and MLP. As no prediction depends on which others
    are asked for, a training step may predict a part of the hidden patches.

    Keys and values: the encoder's output is embedded into the decoder's width, given the decoder's own positions, which
    are what queries are made of, and normalised once; each block projects that one sequence by weights of its own.
    CrossMAE adds no second positions and projects from the encoder's width. It also offers each block another learned
    mixture of the outputs of all encoder blocks ("inter-block attention"); here all blocks read the last output, the
    one that is used after pretraining.
    """

    def __init__(self, encoder_width: int, rows: int, pixels: int, settings: MaskedAutoencoderSettings) -> None:
        """Build `decoder_depth` blocks for images of rows * rows patches with `pixels` values each."""
        width, heads = settings.decoder_width, settings.decoder_heads
        blocks = (CrossBlock(width, heads) for _ in range(settings.decoder_depth))
        super().__init__(encoder_width, rows, pixels, width, nn.ModuleList(blocks))
        self.context_norm = LayerNorm(width)

    def forward(self, encoded: Tensor, visible: Tensor, wanted: Tensor) -> Tensor:
        """Turn encoded tokens [B, 1 + K, D] into the wanted patches [B, M, P], any of the hidden ones."""
        context = self.context_norm(self.embedded(encoded, visible))
        x = self.blanks(wanted)
        with attention_to(context):
            for block in self.blocks:
                x = block(x, context)
        return self.pixels(x)


class CrossBlock(nn.Module):
    """Add to each token what it finds in a context, then what an MLP makes of it; norms come first."""

    def __init__(self, width: int, heads: int) -> None:
        """Build a block for tokens and contexts of `width` dimensions."""
        super().__init__()
        self.heads = heads
        self.norm1 = LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = LayerNorm(width)
        self.mlp = Mlp(width, _MLP_RATIO * width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Refine tokens [B, M, W] by a context [B, 1 + K, W] that is normalised already."""
        x = x + self.proj(_attend(self.query(self.norm1(x)), self.key_value(context), self.heads))
        refined: Tensor = x + self.mlp(self.norm2(x))
        return refined


def _attend(query: Tensor, key_value: Tensor, heads: int) -> Tensor:
    """Attend from queries [B, M, W] to keys and values [B, L, 2 * W], side by side; return [B, M, W]."""
    key, value = (_split(half, heads) for half in key_value.chunk(2, dim=-1))
    return functional.scaled_dot_product_attention(_split(query, heads), key, value).transpose(1, 2).flatten(2)


def _split(tokens: Tensor, heads: int) -> Tensor:
    """Turn tokens [B, L, W] into [B, heads, L, W / heads]."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)


def _last_tokens(block: Block, x: Tensor, count: int) -> Tensor:
    """Return what a block would make of the last `count` of its tokens [B, L, W], and compute no others."""
    attention, width = cast(Attention, block.attn), x.shape[-1]
    weight, bias = attention.qkv.weight, attention.qkv.bias
    normed, x = block.norm1(x), x[:, -count:]
    query = functional.linear(normed[:, -count:], weight[:width], bias[:width])
    key_value = functional.linear(normed, weight[width:], bias[width:])
    x = x + attention.proj(_attend(query, key_value, attention.num_heads))
    last: Tensor = x + block.mlp(block.norm2(x))
    return last

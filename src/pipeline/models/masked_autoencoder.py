"""Masked autoencoder: an encoder that sees the visible patches only, a small decoder that fills in the rest.

He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022.
Shapes: B images, N patches, K visible, M = N - K masked, P pixels per patch, D encoder and W decoder width.
"""

from functools import partial
from typing import NamedTuple

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.encoder import build_encoder, embeddings, initialise_layer
from pipeline.models.patches import sincos_positions, to_patches
from pipeline.settings.pretraining import EncoderSettings, MaskedAutoencoderSettings

_MLP_RATIO = 4.0
_NORM_EPSILON = 1e-6


class MaskedPrediction(NamedTuple):
    """Hold what the decoder says about the masked patches."""

    predicted: Tensor
    """[B, M, P] predicted patches."""
    target: Tensor
    """[B, M, P] the patches themselves, in the encoder's input scale."""
    masked: Tensor
    """[B, M] int64, which patches they are."""


class MaskedAutoencoder(nn.Module):
    """Predict masked patches from visible ones."""

    def __init__(self, encoder: EncoderSettings, settings: MaskedAutoencoderSettings, seed: int) -> None:
        """Build encoder and decoder with weights drawn under `seed`."""
        super().__init__()
        self.encoder = build_encoder(encoder, seed)
        self.patch_size = encoder.patch_size
        self.rows = encoder.image_size // encoder.patch_size
        self.visible = int(self.rows**2 * (1 - settings.mask_ratio))
        pixels = encoder.patch_size**2 * encoder.channels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.decoder = Decoder(self.encoder.embed_dim, self.rows, pixels, settings)

    def forward(self, images: Tensor, noise: Tensor) -> MaskedPrediction:
        """Mask, encode and decode.

        Args:
            images: [B, C, H, W] in the encoder's input scale.
            noise: [B, N]; the patches with the lowest values stay visible.
        """
        order = noise.argsort(dim=1)
        visible, masked = order[:, : self.visible], order[:, self.visible :]
        patches = to_patches(images, self.patch_size)
        encoded = encode_visible(self.encoder, take(patches, visible), visible)
        predicted = self.decoder(encoded, visible, masked)
        return MaskedPrediction(predicted, take(patches, masked), masked)


class Decoder(nn.Module):
    """Predict the pixels of masked patches from encoded visible tokens."""

    def __init__(self, encoder_width: int, rows: int, pixels: int, settings: MaskedAutoencoderSettings) -> None:
        """Build `decoder_depth` blocks for images of rows * rows patches with `pixels` values each."""
        super().__init__()
        width = settings.decoder_width
        norm = partial(nn.LayerNorm, eps=_NORM_EPSILON)
        self.embed = nn.Linear(encoder_width, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(sincos_positions(width, rows), requires_grad=False)
        self.blocks = nn.ModuleList(
            Block(width, settings.decoder_heads, _MLP_RATIO, qkv_bias=True, norm_layer=norm)  # type: ignore[arg-type]
            for _ in range(settings.decoder_depth)
        )
        self.norm = norm(width)
        self.head = nn.Linear(width, pixels)
        self.apply(initialise_layer)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, encoded: Tensor, visible: Tensor, masked: Tensor) -> Tensor:
        """Turn encoded tokens [B, 1 + K, D] into predicted patches [B, M, P].

        Attention does not see the order of tokens, so visible and masked ones are not put back into
        image order: each carries its position.
        """
        batch = encoded.shape[0]
        tokens = self.embed(encoded)
        blanks = self.mask_token.expand(batch, masked.shape[1], -1)
        patch_positions = self.positions[:, 1:].expand(batch, -1, -1)
        x = torch.cat(
            [
                tokens[:, :1] + self.positions[:, :1],
                tokens[:, 1:] + take(patch_positions, visible),
                blanks + take(patch_positions, masked),
            ],
            dim=1,
        )
        for block in self.blocks:
            x = block(x)
        predicted: Tensor = self.head(self.norm(x[:, -masked.shape[1] :]))
        return predicted


def encode_visible(encoder: VisionTransformer, patches: Tensor, visible: Tensor) -> Tensor:
    """Encode the visible patches only: [B, K, P] pixels at [B, K] places to tokens [B, 1 + K, D].

    The patch embedding is applied to the visible pixels alone, as the matrix its convolution is.
    """
    weight = encoder.patch_embed.proj.weight  # [D, C, p, p], where a patch is laid out as p, p, C
    matrix = weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)
    batch = patches.shape[0]
    class_token, positions = embeddings(encoder)
    tokens = functional.linear(patches, matrix, encoder.patch_embed.proj.bias)
    tokens = tokens + take(positions[:, 1:].expand(batch, -1, -1), visible)
    first = (class_token + positions[:, :1]).expand(batch, -1, -1)
    x = torch.cat([first, tokens], dim=1)
    for block in encoder.blocks:
        x = block(x)
    encoded: Tensor = encoder.norm(x)
    return encoded


def take(sequence: Tensor, places: Tensor) -> Tensor:
    """Pick tokens: [B, N, D] at [B, K] places gives [B, K, D]."""
    return sequence.gather(1, places.unsqueeze(-1).expand(-1, -1, sequence.shape[-1]))

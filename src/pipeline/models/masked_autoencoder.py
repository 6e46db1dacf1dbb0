"""Masked autoencoder: an encoder that sees the visible patches only, a small decoder that fills in the rest.

He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022.
Shapes: B images, N patches, K visible, M of the N - K hidden ones that are predicted, P pixels per patch.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.models.encoder import build_encoder
from pipeline.models.masked_decoders import AttentionDecoder, CrossDecoder
from pipeline.models.masked_encoding import encode_visible
from pipeline.models.patches import take, to_patches
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import MaskedAutoencoderSettings
from pipeline.settings.pretraining import visible_patches


class MaskedPrediction(NamedTuple):
    """Hold what the decoder says about hidden patches."""

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
        self.rows = encoder.rows
        self.visible = visible_patches(settings, self.rows**2)
        self.kept = max(1, int((self.rows**2 - self.visible) * settings.kept_ratio))
        build = CrossDecoder if settings.decoder == "cross" else AttentionDecoder
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            pixels = encoder.patch_size**2 * encoder.channels
            self.decoder = build(self.encoder.embed_dim, self.rows, pixels, settings)

    def forward(self, images: Tensor, noise: Tensor, kept: int | None = None) -> MaskedPrediction:
        """Mask, encode and decode.

        Args:
            images: [B, C, H, W] in the encoder's input scale.
            noise: [B, N]; the patches with the lowest values stay visible.
            kept: How many hidden patches are predicted, those with the lowest values; unset, all of them. Training
                takes `self.kept`. Only where the decoder is `cross` does the rest not change the prediction.
        """
        order = noise.argsort(dim=1)
        visible, masked = order[:, : self.visible], order[:, self.visible :][:, :kept]
        patches = to_patches(images, self.patch_size)
        encoded = encode_visible(self.encoder, take(patches, visible), visible).final
        predicted = self.decoder(encoded, visible, masked)
        return MaskedPrediction(predicted, take(patches, masked), masked)

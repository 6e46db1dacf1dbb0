"""CXR-MIM's model: an encoder that sees the visible patches only, tapped at several depths, a decoder for each.

Zhao et al. 2025 (spec CXR-MIM B5). Shallow taps predict fine scales, deep ones coarse scales.
Shapes: B images, N patches, K visible, M = N - K masked, D encoder width.
"""

from functools import partial

import torch
from torch import Tensor, nn

from pipeline.models.encoder import build_encoder
from pipeline.models.masked_encoding import encode_visible
from pipeline.models.patches import take, to_patches
from pipeline.models.pyramid_decoder import PyramidDecoder
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import CxrMimSettings

_NORM_EPSILON = 1e-6


class PyramidAutoencoder(nn.Module):
    """Predict histograms of oriented gradients at several scales from visible patches."""

    def __init__(self, encoder: EncoderSettings, settings: CxrMimSettings, seed: int) -> None:
        """Build encoder and decoders with weights drawn under `seed`.

        The last tap must be the encoder's last block and passes through the encoder's own final norm, so that every
        weight of the published encoder is trained (spec CXR-MIM B1 drops that norm). Other taps have norms of their
        own. Raises `UserError` where it is not; that scales cut the image into whole cells is up to the run's settings.
        """
        super().__init__()
        self.encoder = build_encoder(encoder, seed)
        self.patch_size, self.rows = encoder.patch_size, encoder.rows
        self.taps = settings.taps[:-1]
        _require_last_block(settings.taps, len(self.encoder.blocks))
        width = self.encoder.embed_dim
        build = partial(PyramidDecoder, width, self.rows, settings=settings, channels=encoder.channels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.norms = nn.ModuleList(nn.LayerNorm(width, eps=_NORM_EPSILON) for _ in self.taps)
            self.decoders = nn.ModuleList(build(scale=scale) for scale in settings.scales)

    def forward(self, images: Tensor, visible: Tensor, masked: Tensor) -> list[Tensor]:
        """Encode the visible patches and predict the histograms of all cells.

        Args:
            images: [B, C, H, W] in the encoder's input scale.
            visible: [B, K] int64.
            masked: [B, M] int64, all the others.

        Returns:
            For each scale, in the order of the settings, [B, cells, C * orientations], row by row.
        """
        patches = take(to_patches(images, self.patch_size), visible)
        encoded = encode_visible(self.encoder, patches, visible, self.taps)
        normed = [norm(tap) for norm, tap in zip(self.norms, encoded.taps, strict=True)]
        order = _raster_order(visible, masked)
        tapped = zip(self.decoders, [*normed, encoded.final], strict=True)
        return [decoder(tokens, order) for decoder, tokens in tapped]


def _raster_order(visible: Tensor, masked: Tensor) -> Tensor:
    """Return where class token and patches in raster order lie in (class token, visible, masked), [B, 1 + N]."""
    first = visible.new_zeros(len(visible), 1)
    return torch.cat([first, visible + 1, masked + 1], dim=1).argsort(dim=1)


def _require_last_block(taps: tuple[int, ...], depth: int) -> None:
    if taps[-1] != depth - 1:
        raise UserError(
            f"taps ends with block {taps[-1]}, but the encoder's last block, counted from 0, is {depth - 1}; "
            f"end taps with {depth - 1}, so that every block is trained"
        )

"""One decoder of CXR-MIM: from the visible tokens of one depth to a map of histograms at one scale (spec CXR-MIM B5).

Shapes: B images, N patches in rows * rows, K visible, D encoder and W decoder width.
"""

from functools import partial
from typing import cast

import torch
from timm.layers.norm import LayerNorm2d
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.encoder import initialise_layer
from pipeline.models.patches import sincos_positions
from pipeline.settings.methods import CxrMimSettings

_MLP_RATIO = 4.0
_NORM_EPSILON = 1e-6


class PyramidDecoder(nn.Module):
    """Fill in the hidden patches, then widen or narrow the map of patches to the cells of one scale."""

    def __init__(self, encoder_width: int, rows: int, scale: float, settings: CxrMimSettings, channels: int) -> None:
        """Build `decoder_depth` blocks for rows * rows patches with `scale` cells along each of their sides.

        Linear layers are Xavier-uniform and convolutions N(0, 0.02), cut at two units, both with zero bias; the mask
        token is N(0, 0.02); positions are fixed sines and cosines.
        """
        super().__init__()
        width = settings.decoder_width
        norm = partial(nn.LayerNorm, eps=_NORM_EPSILON)
        self.rows = rows
        self.embed = nn.Linear(encoder_width, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(sincos_positions(width, rows), requires_grad=False)
        self.blocks = nn.ModuleList(
            Block(width, settings.decoder_heads, _MLP_RATIO, qkv_bias=True, norm_layer=norm)  # type: ignore[arg-type]
            for _ in range(settings.decoder_depth)
        )
        self.norm = norm(width)
        self.head = build_head(width, scale, channels * settings.orientations)
        self.apply(initialise_layer)
        self.head.apply(_initialise_convolution)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, tokens: Tensor, order: Tensor) -> Tensor:
        """Predict the histograms of all cells of an image, hidden or not.

        Args:
            tokens: [B, 1 + K, D], class token and visible patches, already normed.
            order: [B, 1 + N] int64, where the class token and then each patch, row by row, lies among the class
                token, the visible patches and the hidden ones, put one after the other.

        Returns:
            [B, cells, channels * orientations], row by row, the first channel's orientations first.
        """
        batch, given, _ = tokens.shape
        blanks = self.mask_token.expand(batch, order.shape[1] - given, -1)
        known = torch.cat([self.embed(tokens), blanks], dim=1)
        # Whole tokens are picked: the gradient of `gather` sorts single numbers on a GPU that has to be deterministic.
        x = known[torch.arange(batch, device=order.device).unsqueeze(1), order] + self.positions
        for block in self.blocks:
            x = block(x)
        patches: Tensor = self.norm(x)[:, 1:]
        cells = self.head[:-1](patches.transpose(1, 2).view(batch, -1, self.rows, self.rows))
        # As a convolution, the last layer would have a gradient of odd strides, which several processes copy to add up.
        last = cast(nn.Conv2d, self.head[-1])
        return functional.linear(cells.flatten(2).transpose(1, 2), last.weight.flatten(1), last.bias)


def build_head(width: int, scale: float, outputs: int) -> nn.Sequential:
    """Build what turns [B, width, rows, rows] into [B, outputs, rows * scale, rows * scale] (spec CXR-MIM B5).

    Raises `ValueError` for a scale other than 4, 2, 1 and 0.5.
    """
    if scale == 4:
        widen = [_double(width, width // 2), LayerNorm2d(width // 2), nn.GELU(), _double(width // 2, width // 4)]
        return nn.Sequential(*widen, nn.Conv2d(width // 4, outputs, 1))
    if scale == 2:
        return nn.Sequential(_double(width, width // 2), nn.Conv2d(width // 2, outputs, 1))
    if scale == 1:
        return nn.Sequential(nn.Conv2d(width, outputs, 1))
    if scale == 0.5:
        return nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(width, outputs, 1))
    raise ValueError(f"there is no head for the scale {scale:g}")


def _double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Build what makes four cells of each."""
    return nn.ConvTranspose2d(inputs, outputs, kernel_size=2, stride=2)


def _initialise_convolution(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.trunc_normal_(layer.weight, std=0.02, a=-0.04, b=0.04)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)

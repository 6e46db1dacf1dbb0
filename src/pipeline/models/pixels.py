"""The baseline without a network: the image itself, shrunk."""

from torch import Tensor, nn
from torch.nn import functional


class PixelEncoder(nn.Module):
    """Lay the gray values of images out as features; larger ones are shrunk by area averaging first."""

    def __init__(self, side: int) -> None:
        """Prepare to shrink to `side` by `side` pixels."""
        super().__init__()
        self.side = side

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn pixels [B, 1, H, W] into features [B, side * side]."""
        return functional.adaptive_avg_pool2d(pixels, self.side).flatten(1)

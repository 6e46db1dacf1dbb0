"""Images as sequences of patches, and the fixed positions of those patches."""

import torch
from torch import Tensor


def to_patches(images: Tensor, patch_size: int) -> Tensor:
    """Cut images [B, C, H, W] into patches [B, N, P], row by row; P = patch_size * patch_size * C.

    Inside a patch the order is row, column, channel (spec Medical MAE A1).
    """
    batch, channels, height, width = images.shape
    rows, columns = height // patch_size, width // patch_size
    tiles = images.reshape(batch, channels, rows, patch_size, columns, patch_size)
    return tiles.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * columns, patch_size**2 * channels)


def to_images(patches: Tensor, patch_size: int, channels: int) -> Tensor:
    """Lay patches [B, N, P] of square images out again as [B, C, side, side]."""
    batch, count, _ = patches.shape
    rows = round(count**0.5)
    tiles = patches.reshape(batch, rows, rows, patch_size, patch_size, channels)
    side = rows * patch_size
    return tiles.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels, side, side)


def take(sequence: Tensor, places: Tensor) -> Tensor:
    """Pick tokens: of [B, N, D], or of [1, N, D] that all images share, those at places [B, K], as [B, K, D]."""
    shared = sequence.expand(places.shape[0], -1, -1)
    return shared.gather(1, places.unsqueeze(-1).expand(-1, -1, sequence.shape[-1]))


def sincos_positions(dim: int, rows: int) -> Tensor:
    """Return the fixed 2-D sine-cosine embedding [1, 1 + rows * rows, dim]; the class token's row is 0.

    The first half of the dimensions encodes the column, the second the row; each half holds its
    sines, then its cosines (spec Medical MAE A1 and golden values G). `dim` is a multiple of 4.
    """
    place = torch.arange(rows, dtype=torch.float64)
    row, column = torch.meshgrid(place, place, indexing="ij")
    halves = [_sincos(axis.reshape(-1), dim // 2) for axis in (column, row)]
    patches = torch.cat(halves, dim=1)
    return torch.cat([torch.zeros(1, dim, dtype=torch.float64), patches]).float().unsqueeze(0)


def _sincos(place: Tensor, dim: int) -> Tensor:
    frequencies = 10_000 ** (-torch.arange(dim // 2, dtype=torch.float64) / (dim // 2))
    angles = place[:, None] * frequencies[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)

"""What a masked autoencoder saw, what it made of it, and what was there."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting.style import drawing

Pixels = NDArray[np.floating]

SMALLEST_SIDE = 112
"""Images narrower than this many pixels are enlarged by a whole factor, so that pixels stay sharp squares."""
TRIPLETS_PER_LINE = 2
GAP = 4
"""Pixels between the images of one sample; samples stand four gaps apart."""
HEADER = 42
"""Pixels above the first line, for the note and the titles of the columns."""
BASELINES = (15, 35)
"""Pixels from the top to the baselines of the note and of the titles."""
HIDDEN = (0.80, 0.86, 0.93)
"""Red, green and blue of a hidden pixel: a tint that no gray image holds."""
DPI = 100


def draw_reconstructions(
    original: Pixels,
    masked: Pixels,
    reconstructed: Pixels,
    figure: Path,
    note: str = "",
    titles: tuple[str, str, str] = ("masked", "reconstructed", "original"),
) -> None:
    """Draw N samples as masked, reconstructed and original image side by side, two samples to a line.

    Each argument is [N, H, W] with values in 0..1; values outside are clipped, and NaN is drawn as a
    hidden pixel. `note` stands above all, `titles` head the columns. Raises `ValueError` where the
    shapes differ or N is 0.
    """
    if not original.shape == masked.shape == reconstructed.shape or original.ndim != 3 or not len(original):
        shapes = f"{original.shape}, {masked.shape} and {reconstructed.shape}"
        raise ValueError(f"three equal shapes [N, H, W] with N > 0 are needed, not {shapes}")
    grid = montage(np.stack([masked, reconstructed, original], axis=1))
    height, width = grid.shape[0] + HEADER, grid.shape[1]
    with drawing(figure, width / DPI, height / DPI) as canvas:
        canvas.figimage(grid, origin="upper")
        canvas.text(0, 1 - BASELINES[0] / height, note, va="baseline")
        for column, left in enumerate(_lefts(original.shape[2], min(len(original), TRIPLETS_PER_LINE))):
            title = titles[column % 3]
            canvas.text(left / width, 1 - BASELINES[1] / height, title, va="baseline", fontweight="bold")


def montage(triplets: Pixels) -> NDArray[np.uint8]:
    """Lay out triplets [N, 3, H, W] as one colour image [H', W', 3] in 0..255, each pixel a sharp square."""
    scale = _scale(triplets.shape[3])
    images = _colour(triplets).repeat(scale, axis=2).repeat(scale, axis=3)
    height, width = images.shape[2:4]
    columns = min(len(images), TRIPLETS_PER_LINE)
    lefts = _lefts(triplets.shape[3], columns)
    lines = -(-len(images) // columns)
    grid = np.full((lines * (height + GAP) - GAP, lefts[-1] + width, 3), 255, dtype=np.uint8)
    for index, image in enumerate(images.reshape(-1, height, width, 3)):
        line, column = divmod(index, 3 * columns)
        top, left = line * (height + GAP), lefts[column]
        grid[top : top + height, left : left + width] = image
    return grid


def _scale(width: int) -> int:
    return max(1, -(-SMALLEST_SIDE // width))


def _lefts(width: int, triplets: int) -> list[int]:
    """Return the left edges of all columns of a line, in pixels."""
    step = width * _scale(width) + GAP
    return [column * step + column // 3 * 3 * GAP for column in range(3 * triplets)]


def _colour(images: Pixels) -> NDArray[np.uint8]:
    gray = np.clip(images, 0, 1)[..., None]
    return np.asarray(np.rint(255 * np.where(np.isnan(gray), HIDDEN, gray)), dtype=np.uint8)

"""What CXR-MIM sees of an image and what it makes of the rest: gaze and masks, gradients as they are and predicted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from pipeline.reporting.gaze_overlay import HATCH, HEAT, OUTLINE, Colours, enlarge, gray, overlay
from pipeline.reporting.hog_glyphs import glyphs
from pipeline.reporting.style import drawing
from pipeline.tasks.pyramid_pictures import Gradients, PyramidPictures

SMALLEST_SIDE = 448
"""Images narrower than this many pixels are enlarged by a whole factor, so that strokes have room."""
GAP = 8
"""Pixels between the panels of one sample; samples stand three gaps apart."""
HEADER = 72
"""Pixels above the first line, for the legend and the titles of the columns."""
TITLES = 10
"""Pixels from the baseline of the titles down to the first line."""
TEXT = 12
"""Size of letters, points; the page shows the figure at three quarters of its size."""
GROUND = 0.05
"""Gray of what strokes are drawn on."""
UNASKED = 0.30
"""Gray of cells that are not predicted."""
FAINT = 0.35
"""Brightness of the strokes of visible cells, over those of hidden ones."""
DPI = 100

_COLUMNS = 3


def draw_gaze_pictures(pictures: PyramidPictures, figure: Path) -> None:
    """Draw each sample on one line per scale, the finest first: image, gradients, predicted gradients.

    The image has gaze and masks over it on the first line and stands as it is on the second. Gradients are strokes
    along edges, faint where the patch is visible; predicted ones are drawn for hidden patches alone.
    """
    layout = _Layout.of(pictures)
    height, width = layout.height + HEADER, layout.width
    with drawing(figure, width / DPI, height / DPI) as canvas:
        canvas.figimage(montage(pictures), origin="upper")
        _write_titles(canvas, layout, pictures.gaze is not None)
        _write_legend(canvas, _legend(pictures.gaze is not None, bool(pictures.clinical.any())))
        _write_labels(canvas, layout, pictures)


def montage(pictures: PyramidPictures) -> NDArray[np.uint8]:
    """Lay out all panels as one colour image [H, W, 3] in 0..255."""
    layout = _Layout.of(pictures)
    grid = np.ones((layout.height, layout.width, 3))
    for sample in range(layout.samples):
        for line in range(layout.lines):
            top = layout.top(sample, line)
            for column, panel in enumerate(_panels(pictures, layout.factor, sample, line)):
                left = layout.left(column)
                grid[top : top + layout.side, left : left + layout.side] = panel
    return np.asarray(np.rint(255 * grid), np.uint8)


@dataclass(frozen=True)
class _Layout:
    """Say where the panels stand, in pixels from the upper left one."""

    samples: int
    lines: int
    """Lines of each sample."""
    factor: int
    """Pixels of a panel, along each side, for one of an image."""
    side: int
    """Side of a panel."""

    @classmethod
    def of(cls, pictures: PyramidPictures) -> "_Layout":
        samples, side, _ = pictures.images.shape
        factor = -(-SMALLEST_SIDE // side)
        return cls(samples, len(pictures.scales), factor, side * factor)

    def left(self, column: int) -> int:
        return column * (self.side + GAP)

    def top(self, sample: int, line: int) -> int:
        return (sample * self.lines + line) * (self.side + GAP) + sample * 2 * GAP

    @property
    def width(self) -> int:
        return self.left(_COLUMNS - 1) + self.side

    @property
    def height(self) -> int:
        return self.top(self.samples - 1, self.lines - 1) + self.side


def _panels(pictures: PyramidPictures, factor: int, sample: int, line: int) -> tuple[Colours, Colours, Colours]:
    """Return the image, the gradients and the predicted gradients of one line, [side, side, 3], 0.0 to 1.0."""
    image = _overlaid(pictures, factor, sample) if line == 0 else _plain(pictures, factor, sample)
    return image, *_gradients(pictures.scales[line], pictures.angles, factor, sample)


def _plain(pictures: PyramidPictures, factor: int, sample: int) -> Colours:
    return gray(enlarge(np.clip(pictures.images[sample], 0, 1), factor))


def _overlaid(pictures: PyramidPictures, factor: int, sample: int) -> Colours:
    gaze = pictures.gaze[sample] if pictures.gaze is not None and pictures.gazed[sample] else None
    return overlay(
        _plain(pictures, factor, sample),
        None if gaze is None else enlarge(gaze, factor),
        pictures.hidden[sample],
        pictures.clinical[sample],
    )


def _gradients(scale: Gradients, angles: NDArray[np.floating], factor: int, sample: int) -> tuple[Colours, Colours]:
    cell = scale.cell * factor
    hidden = enlarge(scale.hidden[sample], cell)
    target, predicted = (
        GROUND + (1 - GROUND) * glyphs(histograms[sample], angles, cell) * np.where(hidden, 1, FAINT)
        for histograms in (scale.target, scale.predicted)
    )
    return gray(target), gray(np.where(hidden, predicted, UNASKED))


def _write_titles(canvas: Figure, layout: _Layout, reads_gaze: bool) -> None:
    up = 1 - (HEADER - TITLES) / (layout.height + HEADER)
    image = "gaze and hidden patches" if reads_gaze else "hidden patches"
    for column, title in enumerate((image, "gradients, faint where visible", "predicted gradients")):
        left = layout.left(column) / layout.width
        canvas.text(left, up, title, va="baseline", fontsize=TEXT, fontweight="bold")


def _write_legend(canvas: Figure, handles: list[Patch]) -> None:
    canvas.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=len(handles),
        fontsize=TEXT,
        borderpad=0.2,
        borderaxespad=0.2,
    )


def _legend(reads_gaze: bool, has_clinical: bool) -> list[Patch]:
    """Return what the colours mean; an image of nobody's gaze needs fewer."""
    gaze = Patch(facecolor=HEAT, label="looked at")
    clinical = Patch(facecolor="#222222", edgecolor=OUTLINE, linewidth=2, label="clinical patches: looked at most")
    return [
        *([gaze] if reads_gaze else []),
        *([clinical] if has_clinical else []),
        Patch(facecolor="#555555", edgecolor=HATCH, hatch="///", linewidth=0, label="hidden from the encoder"),
        Patch(facecolor=str(UNASKED), label="visible, so not predicted"),
    ]


def _write_labels(canvas: Figure, layout: _Layout, pictures: PyramidPictures) -> None:
    """Write the size of the cells into the panels of gradients, and into an image that it has no gaze map."""
    height = layout.height + HEADER
    for sample, gazed in enumerate(pictures.gazed):
        for line, scale in enumerate(pictures.scales):
            missing = line == 0 and pictures.gaze is not None and not gazed
            up = 1 - (HEADER + layout.top(sample, line) + layout.side - GAP) / height
            cells = f"cells of {scale.cell} px"
            for column, label in enumerate(("no gaze map" if missing else "", cells, cells)):
                _write_label(canvas, (layout.left(column) + GAP) / layout.width, up, label)


def _write_label(canvas: Figure, right: float, up: float, label: str) -> None:
    if label:
        box = {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 3}
        canvas.text(right, up, label, color="white", fontsize=TEXT, va="baseline", bbox=box)

"""The one look of every figure, and the one way to save it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

from pipeline.records.publish import publishing

BLUE = "#0072B2"
VERMILION = "#D55E00"
GRAY = "#8A8F98"
"""Colours that stay apart for colour-blind readers (Okabe and Ito 2008), and a neutral gray."""

_STYLE = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so every machine draws the same glyphs
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
    "savefig.dpi": 100,
    "svg.hashsalt": "pipeline",
}
_METADATA: dict[str, dict[str, str | None]] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
}


@contextmanager
def drawing(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of `width` by `height` inches and publish it at `path` when the block ends.

    The same drawing gives the same bytes: the user's matplotlib settings do not count, and no date or
    version is written. Raises `ValueError` where the suffix is neither `.svg` nor `.png`.
    """
    if path.suffix not in _METADATA:
        raise ValueError(f"a figure is an .svg or a .png file, not {path.name}")
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(width, height))
        yield figure
        with publishing(path) as scratch:
            figure.savefig(scratch, format=path.suffix[1:], metadata=_METADATA[path.suffix])

"""Stage of rule render_page: records and figures as one self-contained page."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.reporting.page import Figure, render_page
from pipeline.settings.reporting import ReportSettings


def render_report(
    records: Sequence[Path],
    curves: Sequence[Path],
    reconstructions: Sequence[Path],
    audit: Path,
    settings: ReportSettings,
    page: Path,
) -> None:
    """Publish the report page.

    Args:
        records: Metric and comparison records, below the folder that holds the page's folder.
        curves: Loss curves; the folder of each is named after its run.
        reconstructions: Pictures of reconstructions, likewise.
        audit: The leakage audit.
        settings: What stands at the head of the page.
        page: HTML file to publish.

    Raises:
        UserError: A record is broken.
    """
    figures = [_curve(path) for path in curves] + [_reconstruction(path) for path in reconstructions]
    render_page(page, records, figures, page.parents[1], settings.title, settings.notice, audit)


def _curve(path: Path) -> Figure:
    caption = "Training loss, validation loss under masks that never change, and the learning rate."
    return Figure(path, f"{path.parent.name}: losses", caption)


def _reconstruction(path: Path) -> Figure:
    caption = "Images of the val split, none of them trained on: what the model saw, what it made of it, the original."
    return Figure(path, f"{path.parent.name}: reconstructions", caption)

"""Stage of rule render_page: records and figures as one self-contained page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.reporting.page import Figure, render_page
from pipeline.settings.methods import CxrMimSettings, MethodSettings
from pipeline.settings.reporting import ReportSettings

_UNSEEN = "Images of the val split, none of them trained on"
_MAE = """what the model saw, what it made of it, the original. With normalised targets, each hidden patch is shown with
the mean and contrast of the true one, which the model does not predict."""
_GAZE = "where readers looked, the clinical patches, and what was hidden"
_GRADIENTS = """below it the image itself. Middle: the histograms of gradients to be predicted, as strokes along edges,
the brighter the clearer; faint where visible. Right: those predicted for hidden patches, in the same brightness. Each
image at the finest scale and at that of the patches."""


def render_report(
    records: Sequence[Path],
    curves: Sequence[Path],
    reconstructions: Sequence[Path],
    methods: Mapping[str, MethodSettings],
    controls: Mapping[str, str],
    audit: Path,
    unaudited: Sequence[str],
    settings: ReportSettings,
    page: Path,
) -> None:
    """Publish the report page.

    Args:
        records: Metric and comparison records, below the folder that holds the page's folder.
        curves: Loss curves; the folder of each is named after its run.
        reconstructions: Pictures of what the models predict, likewise.
        methods: What each run was pretrained by, by its name.
        controls: What kind of control each encoder is that is one.
        audit: The leakage audit.
        unaudited: Encoders whose training images the audit cannot know.
        settings: What stands at the head of the page.
        page: HTML file to publish.

    Raises:
        UserError: A record is broken.
    """
    predictions = [_prediction(path, methods[path.parent.name]) for path in reconstructions]
    figures = [_curve(path) for path in curves] + predictions
    root = page.parents[1]
    render_page(page, records, figures, root, settings.title, controls, settings.notice, audit, unaudited)


def _curve(path: Path) -> Figure:
    caption = "Training loss, validation loss under masks that never change, and the learning rate."
    return Figure(path, f"{path.parent.name}: losses", caption)


def _prediction(path: Path, method: MethodSettings) -> Figure:
    if not isinstance(method, CxrMimSettings):
        return Figure(path, f"{path.parent.name}: reconstructions", f"{_UNSEEN}: {_MAE}")
    left = _GAZE if method.reads_gaze else "what was hidden"
    return Figure(path, f"{path.parent.name}: predicted gradients", f"{_UNSEEN}. Left: {left}; {_GRADIENTS}")

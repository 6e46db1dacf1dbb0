"""Training curves: the loss, its fixed-mask validation, and the learning rate, from a run's history."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.records.errors import UserError
from pipeline.records.events import Event, read_history
from pipeline.reporting.style import BLUE, GRAY, VERMILION, drawing

MOST_BINS = 500
"""Bins of the raw curve, two points each: more than a screen shows, few enough for a small file."""


@dataclass
class Curves:
    """Hold what a run logged, by step."""

    losses: dict[int, float] = field(default_factory=dict)
    learning_rates: dict[int, float] = field(default_factory=dict)
    validation_losses: dict[int, float] = field(default_factory=dict)
    resumes: list[int] = field(default_factory=list)
    """Steps after which the run was stopped and went on."""


def read_curves(history: Path) -> Curves:
    """Read a run's event log. Raises `UserError` where it holds no training step."""
    curves = Curves()
    for event in read_history(history):
        _add(curves, event)
    if not curves.losses:
        raise UserError(f"{history} holds no training step to draw; let the run log at least one step.")
    return curves


def smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the centred running mean of `values` [S] over `window` points, fewer at both ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    middle = np.arange(len(values))
    first = np.maximum(middle - window // 2, 0)
    last = np.minimum(middle + window // 2 + 1, len(values))
    return np.asarray((sums[last] - sums[first]) / (last - first))


def extremes(values: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return the indices of the lowest and highest value of every bin, so that no spike is thinned away."""
    chunks = [chunk for chunk in np.array_split(np.arange(len(values)), bins) if len(chunk)]
    lowest = [chunk[np.argmin(values[chunk])] for chunk in chunks]
    highest = [chunk[np.argmax(values[chunk])] for chunk in chunks]
    return np.unique([*lowest, *highest])


def draw_loss_curve(history: Path, figure: Path, title: str) -> None:
    """Draw a run's losses above its learning rate, as SVG or PNG by the suffix of `figure`.

    A thin vertical line marks each step from which the run was resumed. Raises `UserError` where the
    history holds no training step.
    """
    curves = read_curves(history)
    with drawing(figure, width=7.2, height=4.2) as canvas:
        canvas.set_layout_engine("constrained")
        losses, rates = canvas.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw_losses(losses, curves)
        _draw_learning_rate(rates, curves)
        for axes in (losses, rates):
            for step in curves.resumes:
                axes.axvline(step, color=GRAY, linewidth=0.7, linestyle=(0, (3, 2)), zorder=1)
        losses.set_title(title)
        losses.legend(loc="upper right")


def _add(curves: Curves, event: Event) -> None:
    match event:
        case {"event": "start", "step": int(step)} if step > 0:
            curves.resumes.append(step)
        case {
            "event": "step",
            "step": int(step),
            "loss": float() | int() as loss,
            "lr": float() | int() as rate,
        }:
            curves.losses[step] = loss
            curves.learning_rates[step] = rate
        case {"event": "validation", "step": int(step), "loss": float() | int() as loss}:
            curves.validation_losses[step] = loss


def _draw_losses(axes: Axes, curves: Curves) -> None:
    steps, losses = _arrays(curves.losses)
    raw = extremes(losses, MOST_BINS)
    axes.plot(steps[raw], losses[raw], color=BLUE, alpha=0.35, linewidth=0.6)
    shown = np.unique(np.linspace(0, len(steps) - 1, 2 * MOST_BINS).astype(np.int64))
    smoothed = smooth(losses, window=max(1, len(losses) // 50))
    axes.plot(steps[shown], smoothed[shown], color=BLUE, linewidth=1.6, label="training, running mean")
    if curves.validation_losses:
        steps, losses = _arrays(curves.validation_losses)
        axes.plot(steps, losses, "o-", color=VERMILION, markersize=3.5, linewidth=1, label="validation, fixed masks")
    if curves.resumes:
        axes.plot([], [], color=GRAY, linewidth=0.7, linestyle=(0, (3, 2)), label="resumed")
    axes.set_ylabel("loss")


def _draw_learning_rate(axes: Axes, curves: Curves) -> None:
    steps, rates = _arrays(curves.learning_rates)
    shown = np.unique(np.linspace(0, len(steps) - 1, 2 * MOST_BINS).astype(np.int64))
    axes.plot(steps[shown], rates[shown], color=GRAY, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes.set_ylabel("learning rate")
    axes.set_xlabel("step")


def _arrays(curve: dict[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    steps = sorted(curve)
    return np.array(steps, dtype=np.int64), np.array([curve[step] for step in steps], dtype=np.float64)

"""Curves show what the run that counts logged, in a small file that is the same each time."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.errors import UserError
from pipeline.records.events import EventLog
from pipeline.reporting.curves import draw_loss_curve, extremes, read_curves, smooth

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60)


def log_steps(log: EventLog, steps: range, loss: float) -> None:
    log.append({"event": "start", "step": steps.start})
    for step in range(steps.start + 1, steps.stop + 1):
        log.append({"event": "step", "step": step, "loss": loss, "lr": 1e-3, "images_per_second": 50.0})


def test_after_a_resume_the_later_value_of_a_step_counts(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "history.jsonl")
    log_steps(log, range(6), loss=1.0)
    log.append({"event": "validation", "step": 6, "loss": 9.0})
    log_steps(log, range(4, 8), loss=0.5)
    log.append({"event": "validation", "step": 8, "loss": 0.6})
    curves = read_curves(log.path)
    assert curves.losses == {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 0.5, 6: 0.5, 7: 0.5, 8: 0.5}
    assert curves.validation_losses == {8: 0.6}
    assert curves.resumes == [4]


def test_unknown_events_are_passed_over(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "history.jsonl")
    log.append({"event": "saved", "step": 1})
    log_steps(log, range(2), loss=1)
    assert read_curves(log.path).losses == {1: 1.0, 2: 1.0}


def test_a_history_without_steps_is_refused(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "history.jsonl")
    log.append({"event": "start", "step": 0})
    with pytest.raises(UserError, match=r"history\.jsonl holds no training step"):
        draw_loss_curve(log.path, tmp_path / "loss.svg", "mae")


@given(VALUES, st.integers(1, 20))
def test_smoothing_is_the_mean_of_the_neighbours(values: list[float], window: int) -> None:
    half = window // 2
    expected = [np.mean(values[max(0, k - half) : k + half + 1]) for k in range(len(values))]
    np.testing.assert_allclose(smooth(np.array(values), window), expected, atol=1e-9)


@given(VALUES, st.integers(1, 20))
def test_thinning_keeps_the_extremes(values: list[float], bins: int) -> None:
    curve = np.array(values)
    kept = extremes(curve, bins)
    assert len(kept) <= 2 * bins
    assert curve[kept].min() == curve.min()
    assert curve[kept].max() == curve.max()


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_figure_of_a_long_run_is_small_and_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    noise = np.random.Generator(np.random.Philox(key=3)).normal(0, 0.05, 20_000)
    events = [
        f'{{"event": "step", "step": {step}, "loss": {1 + noise[step]:.6f}, "lr": 0.001}}\n' for step in range(20_000)
    ]
    (tmp_path / "history.jsonl").write_text("".join(events) + '{"event": "start", "step": 19999}\n')
    figures = [tmp_path / f"{name}.{suffix}" for name in ("first", "second")]
    for figure in figures:
        draw_loss_curve(tmp_path / "history.jsonl", figure, "mae")
    assert figures[0].read_bytes() == figures[1].read_bytes()
    assert 5_000 < figures[0].stat().st_size <= 300_000


def test_only_svg_and_png_are_drawn(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "history.jsonl")
    log_steps(log, range(2), loss=1.0)
    with pytest.raises(ValueError, match=r"loss\.gif"):
        draw_loss_curve(log.path, tmp_path / "loss.gif", "mae")

"""Runs in a tracker: every number that counts once, nothing but numbers, and no run that is mixed with another."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.records.errors import UserError
from pipeline.records.events import EventLog
from pipeline.reporting.tracking.histories import rows
from pipeline.stages.track_runs import track_runs

Curve = list[tuple[int, float]]
FACTS = st.dictionaries(
    st.text(min_size=1),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
)


def live_history(results: Path, recipe: str = "0123abcd", run: str = "mae") -> EventLog:
    """Return the history of a run in training."""
    return EventLog(results / "runs" / run / "state" / recipe / "history.jsonl")


def train(log: EventLog, first: int, last: int) -> None:
    """Log a life of a run: two steps at a time, and a validation after each four."""
    log.append({"event": "start", "step": first, "device": "cpu", "threads": 2})
    for step in range(first + 2, last + 1, 2):
        log.append({"event": "step", "step": step, "loss": 1 / step, "lr": 0.5 * step, "images_per_second": 1234.5})
        if step % 4 == 0:
            log.append({"event": "validation", "step": step, "loss": 2 / step})
            log.append({"event": "save", "step": step})


def publish(results: Path, log: EventLog, run: str = "mae") -> None:
    """Let a run be over: its history is copied and its states are deleted."""
    shutil.copyfile(log.path, results / "runs" / run / "history.jsonl")
    shutil.rmtree(results / "runs" / run / "state")


def shown(results: Path, run: str = "mae", name: str = "training/loss", project: str = "cxr-pipeline") -> Curve:
    """Return a curve as TensorBoard reads it."""
    accumulator = EventAccumulator(str(results / "tracking" / "tensorboard" / project / run), {"scalars": 0})
    accumulator.Reload()
    return [(event.step, event.value) for event in accumulator.Scalars(name)]


def curve(last: int, every: int = 2, numerator: float = 1.0) -> Curve:
    return [(step, float(np.float32(numerator / step))) for step in range(every, last + 1, every)]


def test_a_run_in_training_is_shown_by_its_steps(tmp_path: Path) -> None:
    train(live_history(tmp_path), 0, 8)
    track_runs("tensorboard", tmp_path)
    assert shown(tmp_path) == curve(8)
    assert shown(tmp_path, name="training/lr") == [(2, 1.0), (4, 2.0), (6, 3.0), (8, 4.0)]
    assert shown(tmp_path, name="validation/loss") == curve(8, every=4, numerator=2.0)


def test_repeated_calls_send_each_number_once_also_after_the_run_was_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = live_history(tmp_path)
    train(log, 0, 4)
    track_runs("tensorboard", tmp_path)
    track_runs("tensorboard", tmp_path)
    train(log, 4, 10)
    track_runs("tensorboard", tmp_path)
    publish(tmp_path, log)
    track_runs("tensorboard", tmp_path)
    assert shown(tmp_path) == curve(10)
    assert capsys.readouterr().out == "mae: 3 new events, more to come\nmae: 4 new events, more to come\n"


def test_steps_that_a_killed_run_repeats_are_shown_once(tmp_path: Path) -> None:
    log = live_history(tmp_path)
    train(log, 0, 6)
    track_runs("tensorboard", tmp_path)
    train(log, 4, 10)
    train(log, 8, 12)
    track_runs("tensorboard", tmp_path)
    assert shown(tmp_path) == curve(12)
    assert shown(tmp_path, name="validation/loss") == curve(12, every=4, numerator=2.0)


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    log = live_history(tmp_path)
    train(log, 0, 4)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-10])
    track_runs("tensorboard", tmp_path)
    log.path.write_bytes(whole)
    train(log, 4, 6)
    track_runs("tensorboard", tmp_path)
    assert shown(tmp_path) == curve(6)


def test_a_run_that_is_trained_anew_has_a_curve_of_its_own(tmp_path: Path) -> None:
    first, second = live_history(tmp_path, "first"), live_history(tmp_path, "second")
    train(first, 0, 6)
    track_runs("tensorboard", tmp_path)
    second.append({"event": "start", "step": 0, "device": "cpu", "threads": 3})
    train(second, 0, 4)
    track_runs("tensorboard", tmp_path)
    train(first, 4, 8)
    track_runs("tensorboard", tmp_path)
    assert shown(tmp_path) == curve(8)
    assert shown(tmp_path, "mae-2") == curve(4)


def test_projects_are_apart(tmp_path: Path) -> None:
    train(live_history(tmp_path), 0, 2)
    for project in ("one", "two"):
        track_runs("tensorboard", tmp_path, project)
        assert shown(tmp_path, project=project) == curve(2)


def test_following_ends_when_all_runs_are_published(tmp_path: Path) -> None:
    logs = {run: live_history(tmp_path, run=run) for run in ("mae", "mae_small")}
    for log in logs.values():
        train(log, 0, 4)
    ending = iter(logs)

    def end_one() -> None:
        run = next(ending)
        train(logs[run], 4, 8)
        publish(tmp_path, logs[run], run)

    track_runs("tensorboard", tmp_path, pause=end_one)
    assert shown(tmp_path) == shown(tmp_path, "mae_small") == curve(8)
    assert next(ending, None) is None


@given(st.lists(st.tuples(st.sampled_from(["start", "step", "validation", "stop"]), st.integers(0, 9), FACTS)))
def test_nothing_but_numbers_of_steps_and_validations_is_handed_on(
    events: list[tuple[str, int, dict[str, object]]],
) -> None:
    with TemporaryDirectory() as folder:
        history = Path(folder) / "history.jsonl"
        lines = [json.dumps(facts | {"event": kind, "step": step}) + "\n" for kind, step, facts in events]
        history.write_text("".join(lines), encoding="utf-8")
        for row in rows(history):
            assert row.kind in ("training", "validation")
            assert type(row.step) is int
            for name, value in row.numbers.items():
                assert type(value) in (int, float)
                assert any(facts.get(name.removeprefix(f"{row.kind}/")) == value for _, _, facts in events)


def test_a_tracker_that_is_not_installed_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(live_history(tmp_path), 0, 2)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="wandb is not installed; run python -m pip install wandb"):
        track_runs("wandb", tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tensorboard"], "error: use it as track_runs [follow] tensorboard|trackio|wandb RESULTS_FOLDER [PROJECT]"),
        (["follow", "aim", "here"], "error: there is no tracker aim; choose among tensorboard, trackio, wandb"),
        (["tensorboard", "elsewhere"], "error: elsewhere/runs holds no history"),
        (["tensorboard", "here", "../there"], "error: ../there is no name of a project"),
    ],
)
def test_a_mistyped_command_says_what_is_wrong(tmp_path: Path, words: list[str], message: str) -> None:
    train(live_history(tmp_path / "here"), 0, 2)
    command = [sys.executable, "-m", "pipeline.stages.track_runs", *words]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr.startswith(message)
    assert finished.stderr.count("\n") == 1

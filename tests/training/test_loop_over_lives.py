"""What lasts beyond one life of a run: what it told, what it was trained on, and what its phases froze."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import SmallTask, SmallTraining, settings_of
from torch import Tensor

from pipeline.batches.batch import ImageBatch
from pipeline.records.events import read_history

EARLY = {"early_stopping": {"patience": 1, "least_improvement": 0.02}, "validate_every": 1}
ENDS = pytest.mark.parametrize("watching", [{}, EARLY, EARLY | {"log_every": 100}], ids=["last", "early", "unlogged"])


class KilledError(Exception):
    """Stands for the moment a process is killed."""


def killed(_: int) -> None:
    raise KilledError


@ENDS
def test_a_run_that_is_over_adds_nothing_to_its_history(tmp_path: Path, watching: dict[str, Any]) -> None:
    run = SmallTraining(tmp_path, settings_of(watching))
    run.run()
    history = (tmp_path / "history.jsonl").read_bytes()
    for _ in range(2):
        SmallTraining(tmp_path, settings_of(watching), before=killed).run()
    assert (tmp_path / "history.jsonl").read_bytes() == history
    assert [len(run.events(kind)) for kind in ("start", "finish")] == [1, 1]


@ENDS
def test_a_run_killed_as_it_finished_tells_its_end_and_nothing_else_twice(
    tmp_path: Path, watching: dict[str, Any]
) -> None:
    SmallTraining(tmp_path, settings_of(watching)).run()
    history = tmp_path / "history.jsonl"
    whole = history.read_text()
    *told, finish = whole.splitlines(keepends=True)
    assert '"finish"' in finish
    history.write_text("".join(told))
    SmallTraining(tmp_path, settings_of(watching)).run()
    assert history.read_text() == whole


@ENDS
def test_each_step_is_told_before_the_state_that_holds_it_and_at_a_rate(
    tmp_path: Path, watching: dict[str, Any]
) -> None:
    run = SmallTraining(tmp_path, settings_of(watching))
    run.run()
    last, state = run.saved
    steps = run.events("step")
    kinds = [(event["event"], event["step"]) for event in read_history(tmp_path / "history.jsonl")]
    assert state["means"] == []
    assert steps[-1]["step"] == last
    assert kinds.index(("step", last)) < kinds.index(("save", last))
    assert kinds[-1] == ("finish", last)
    assert len({event["step"] for event in steps}) == len(steps)
    assert all(event["images_per_second"] > 0 for event in steps)


def test_the_origin_is_that_of_the_life_that_took_the_last_step(tmp_path: Path) -> None:
    first, second = ({"device": device, "batch": {"parts": 2}} for device in ("here", "there"))
    begun = SmallTraining(tmp_path, origin=first, before=lambda step: killed(step) if step == 5 else None)
    with pytest.raises(KilledError):
        begun.run()
    assert begun.saved[1]["origin"] == first
    for origin in (second, {"device": "elsewhere"}):
        trainer = SmallTraining(tmp_path, origin=origin).trainer()
        trainer.run()
        assert trainer.origin == second
    assert begun.saved[1]["origin"] == second


def test_a_validation_that_fails_leaves_the_task_training_with_its_own_weights(tmp_path: Path) -> None:
    def validation() -> list[ImageBatch]:
        raise KilledError

    trainer = SmallTraining(tmp_path / "failed", settings_of(average_decay=0.9), validation=validation).trainer()
    with pytest.raises(KilledError):
        trainer.run()
    assert trainer.task.training
    unvalidated = SmallTraining(
        tmp_path / "other", settings_of({"validate_every": 8}), before=lambda step: killed(step) if step == 2 else None
    ).trainer()
    with pytest.raises(KilledError):
        unvalidated.run()
    for weight, same in zip(trainer.task.parameters(), unvalidated.task.parameters(), strict=True):
        assert torch.equal(weight, same)


class FrozenParts(SmallTask):
    """Has batch normalisation and dropout within each of two layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        first, last = (
            torch.nn.Sequential(torch.nn.Linear(a, b), torch.nn.BatchNorm1d(b), torch.nn.Dropout(0.5))
            for a, b in ((16, 8), (8, 16))
        )
        self.model = torch.nn.Sequential(first, torch.nn.GELU(), last)


def test_a_phase_leaves_all_of_what_it_does_not_train_as_it_is(tmp_path: Path) -> None:
    phases = [{"steps": 3, "trains": ["model.0.", "model.2."]}, {"steps": 5, "trains": ["model.2."]}]
    states: list[dict[str, Tensor]] = []

    def before(_: int) -> None:
        states.append({name: tensor.clone() for name, tensor in trainer.task.state_dict().items()})

    trainer = SmallTraining(tmp_path, settings_of(phases=phases), FrozenParts, before=before).trainer()
    trainer.run()
    earlier, later = states[3], states[7]
    changed = {name for name in earlier if not torch.equal(earlier[name], later[name])}
    assert changed == {name for name in earlier if name.startswith("model.2.")}

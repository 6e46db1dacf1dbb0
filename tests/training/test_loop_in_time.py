"""The loop and the clock: what counts as training, and what a run knows of how long its steps take."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_training import SmallTraining, settings_of

from pipeline.batches.batch import ImageBatch
from pipeline.training import checkpoints, meter
from pipeline.training.deadline import Deadline
from pipeline.training.stopping import Interruptions, RunInterrupted


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> float:
        self.now += seconds
        return self.now

    def takes(self, seconds: float) -> Callable[[int], None]:
        """Return what lets as much time pass before each step."""

        def before(_: int) -> None:
            self.now += seconds

        return before


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meter, "monotonic", clock)
    monkeypatch.setattr(checkpoints, "monotonic", clock)
    return clock


def test_the_rate_counts_what_processes_wait_for_each_other_and_no_validation(tmp_path: Path, clock: Clock) -> None:
    def validation() -> Sequence[ImageBatch]:
        clock.passes(1000)
        return SmallTraining.validation()

    run = SmallTraining(
        tmp_path,
        settings_of({"log_every": 1, "validate_every": 1}),
        # The deadline is asked for where processes agree whether to stop.
        interruptions=Interruptions(Deadline(ends=1e9, clock=lambda: clock.passes(2))),
        before=clock.takes(1),
        validation=validation,
    )
    run.run()
    rates = [event["images_per_second"] for event in run.events("step")]
    assert rates[1:] == [6 / 3] * 7


def stopped(folder: Path, clock: Clock, steps_take: float, ends_in: float) -> int:
    """Train by a clock on which each step takes as long until the deadline, and return after which step that was."""
    deadline = Deadline(ends=clock.now + ends_in, clock=clock)
    run = SmallTraining(folder, interruptions=Interruptions(deadline), before=clock.takes(steps_take))
    with pytest.raises(RunInterrupted) as interrupted:
        run.run()
    return interrupted.value.step


def test_a_resumed_life_knows_how_long_steps_took_and_takes_one_in_any_case(tmp_path: Path, clock: Clock) -> None:
    assert stopped(tmp_path, clock, steps_take=100, ends_in=450) == 3
    assert stopped(tmp_path, clock, steps_take=100, ends_in=200) == 4
    assert stopped(tmp_path, clock, steps_take=100, ends_in=30) == 5


def test_one_step_that_hung_is_forgotten_in_the_end(tmp_path: Path, clock: Clock) -> None:
    settings = settings_of(steps=100)

    def hangs(step: int) -> None:
        clock.passes(1000 if step == 1 else 0)

    run = SmallTraining(tmp_path, settings, before=hangs)
    run.interruptions = Interruptions(Deadline(ends=1010, clock=clock))
    with pytest.raises(RunInterrupted):
        run.run()
    reached = []
    for _ in range(10):
        life = SmallTraining(tmp_path, settings, before=clock.takes(1))
        life.interruptions = Interruptions(Deadline(ends=clock.now + 40, clock=clock))
        with pytest.raises(RunInterrupted) as interrupted:
            life.run()
        reached.append(interrupted.value.step)
    assert reached[1] == reached[0] + 1
    assert reached[9] > reached[8] + 10


def test_a_save_is_taken_to_last_as_long_as_the_load_before_there_was_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "monotonic", itertools.count(0, 40).__next__)  # whatever is timed takes 40 s
    run = SmallTraining(tmp_path, interruptions=Interruptions(Deadline(ends=90.0, clock=lambda: 0.0)))
    with pytest.raises(RunInterrupted) as interrupted:
        run.run()
    assert interrupted.value.step == 0

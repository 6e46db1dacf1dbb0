import math
from collections.abc import Iterator
from itertools import pairwise

import pytest

from pipeline.training.deadline import Deadline


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_end_is_near_once_no_more_than_the_needed_time_is_left(clock: Clock) -> None:
    deadline = Deadline(1100.0, clock=clock)
    assert not deadline.is_within(79.0)
    assert deadline.is_within(80.0)
    clock.now = 1200.0
    assert deadline.seconds_left == -100.0
    assert deadline.is_within(0.0)


@pytest.mark.parametrize(
    ("seconds", "kept"), [(30.0, 20.0), (400.0, 20.0), (1000.0, 50.0), (2400.0, 120.0), (86400.0, 120.0)]
)
def test_time_is_kept_for_what_comes_after_the_last_save(clock: Clock, seconds: float, kept: float) -> None:
    deadline = Deadline(clock.now + seconds, clock=clock)
    clock.now += seconds - kept - 1.0
    assert not deadline.is_within(0.5)
    assert deadline.is_within(1.0)
    clock.now += 1.0
    assert deadline.is_within(0.0)


def test_a_limit_that_was_raised_is_noticed_before_the_run_is_stopped(clock: Clock) -> None:
    deadline = Deadline(1600.0, lambda: 9000.0, clock)
    clock.now = 1590.0
    assert not deadline.is_within(60.0)
    assert deadline.ends == 9000.0


def test_a_limit_that_was_lowered_is_noticed_within_half_of_the_time_left(clock: Clock) -> None:
    ends = [4000.0]
    deadline = Deadline(ends[0], lambda: ends[0], clock)
    clock.now = 1060.0
    assert not deadline.is_within(60.0)
    ends[0] = 2720.0
    clock.now = 2530.0
    assert deadline.is_within(70.0)


def test_an_unanswered_question_leaves_the_end_as_it_was_and_an_answer_comes_later(clock: Clock) -> None:
    answers: Iterator[float | None] = iter([None, 5000.0])
    deadline = Deadline(1200.0, lambda: next(answers), clock)
    clock.now = 1100.0
    assert deadline.is_within(100.0)
    clock.now = 1160.0
    assert not deadline.is_within(100.0)


@pytest.mark.parametrize(("hours", "most"), [(24.0, 32), (1.0, 9), (math.inf, 26)])
def test_slurm_is_asked_seldom_far_from_the_end_and_once_a_minute_near_it(
    clock: Clock, hours: float, most: int
) -> None:
    began, asked = clock.now, list[float]()

    def ask() -> float:
        asked.append(clock.now)
        return began + 3600 * hours

    deadline = Deadline(began + 3600 * hours, ask, clock)
    while not deadline.is_within(30.0) and clock.now < began + 24 * 3600:
        clock.now += 1.0
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert 5 <= len(asked) <= most
    assert min(gaps) >= 60.0
    assert max(gaps) <= 3601.0

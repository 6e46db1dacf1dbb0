import pytest
import torch

from pipeline.training import meter
from pipeline.training.meter import Meter


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meter, "monotonic", clock)
    return clock


def test_a_reading_has_the_means_and_the_rates_of_its_steps_without_pauses(clock: Clock) -> None:
    watched = Meter(batch_size=6, watched=["seen"])
    for loss in (1.0, 2.0, 6.0):
        clock.now += 4
        watched.add(torch.tensor([loss, 10 * loss]), waited=1.0)
        with watched.paused():
            clock.now += 1000
    assert watched.read() == (18, 3.0, 18 / 12, 3 / 12, {"seen": 30.0})
    clock.now += 2
    watched.add(torch.tensor([5.0, 7.0]), waited=0.0)
    assert watched.read() == (6, 5.0, 6 / 2, 0.0, {"seen": 7.0})


def test_means_that_an_earlier_life_did_not_read_count_for_the_loss_and_not_for_the_rate(clock: Clock) -> None:
    watched = Meter(batch_size=6, means=[[1.0], [2.0]])
    clock.now += 4
    watched.add(torch.tensor([6.0]), waited=1.0)
    assert watched.losses() == [1.0, 2.0, 6.0]
    assert watched.read() == (18, 3.0, 6 / 4, 1 / 4, {})


def test_asking_for_losses_does_not_read_them() -> None:
    watched = Meter(batch_size=6)
    for loss in (1.0, 2.0):
        watched.add(torch.tensor([loss]))
        assert watched.losses()[-1] == loss
    assert watched.losses() == [1.0, 2.0]
    assert watched.read().loss == 1.5
    assert watched.losses() == []

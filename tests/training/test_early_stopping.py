import io
import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.settings.training import EarlyStoppingSettings
from pipeline.training.early_stopping import EarlyStopping

LOSSES = st.lists(st.floats(0, 100), min_size=1, max_size=30)


def weights(value: float) -> dict[str, Tensor]:
    return {"layer.weight": torch.full((2, 2), value)}


def observe_all(stopping: EarlyStopping, losses: list[float], first: int = 0) -> None:
    for step, loss in enumerate(losses, start=first):
        stopping.observe(step, loss, lambda step=step: weights(step))  # type: ignore[misc]


def test_a_run_ends_after_as_many_validations_without_improvement_as_its_patience() -> None:
    stopping = EarlyStopping(EarlyStoppingSettings(patience=2))
    over = []
    for step, loss in enumerate([3.0, 2.0, 2.5, 1.0, 1.0, 4.0]):
        stopping.observe(step, loss, lambda: weights(0))
        over.append(stopping.over)
    assert over == [False, False, False, False, False, True]


@given(losses=LOSSES, patience=st.integers(1, 5))
def test_the_first_of_the_lowest_losses_is_the_best(losses: list[float], patience: int) -> None:
    stopping = EarlyStopping(EarlyStoppingSettings(patience=patience))
    observe_all(stopping, losses)
    lowest = losses.index(min(losses))
    assert stopping.best is not None
    assert (stopping.best.step, stopping.best.loss) == (lowest, losses[lowest])
    assert torch.equal(stopping.best.weights["layer.weight"], weights(lowest)["layer.weight"])
    assert stopping.over == (len(losses) - 1 - lowest >= patience)


@given(losses=LOSSES, least=st.floats(0, 10))
def test_a_loss_improves_only_where_it_falls_by_more_than_the_least(losses: list[float], least: float) -> None:
    stopping = EarlyStopping(EarlyStoppingSettings(patience=100, least_improvement=least))
    best = math.inf
    for step, loss in enumerate(losses):
        stopping.observe(step, loss, lambda: weights(0))
        best = loss if loss < best - least else best
        assert stopping.best is not None
        assert stopping.best.loss == best


def test_the_best_weights_stay_as_they_were_while_training_goes_on() -> None:
    stopping, trained = EarlyStopping(EarlyStoppingSettings(patience=2)), weights(1.0)
    stopping.observe(1, 0.5, lambda: trained)
    trained["layer.weight"].fill_(2.0)
    assert stopping.best is not None
    assert torch.equal(stopping.best.weights["layer.weight"], weights(1.0)["layer.weight"])


def test_weights_are_copied_only_where_the_loss_improved() -> None:
    stopping = EarlyStopping(EarlyStoppingSettings(patience=5))
    asked = []
    for step, loss in enumerate([2.0, 2.0, 1.0, 1.5]):
        stopping.observe(step, loss, lambda step=step: asked.append(step) or weights(step))  # type: ignore[misc]
    assert asked == [0, 2]


@given(losses=LOSSES, cut=st.integers(0, 30))
def test_a_resumed_watch_sees_what_an_undisturbed_one_sees(losses: list[float], cut: int) -> None:
    settings = EarlyStoppingSettings(patience=3)
    undisturbed, before, after = (EarlyStopping(settings) for _ in range(3))
    observe_all(undisturbed, losses)
    observe_all(before, losses[:cut])
    saved = io.BytesIO()
    torch.save(before.state_dict(), saved)
    saved.seek(0)
    after.load_state_dict(torch.load(saved, weights_only=True))
    observe_all(after, losses[cut:], first=len(losses[:cut]))
    assert after.over == undisturbed.over
    assert after.best is not None
    assert undisturbed.best is not None
    assert after.best[:2] == undisturbed.best[:2]
    assert torch.equal(after.best.weights["layer.weight"], undisturbed.best.weights["layer.weight"])


def test_a_run_without_early_stopping_is_never_over_and_keeps_nothing() -> None:
    stopping = EarlyStopping(None)
    observe_all(stopping, [1.0] * 50)
    assert not stopping.over
    assert stopping.best is None
    assert stopping.state_dict() == {}
    stopping.load_state_dict({})

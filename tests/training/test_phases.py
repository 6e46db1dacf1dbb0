import logging

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.records.errors import UserError
from pipeline.settings.training import OptimizationSettings, PhaseSettings
from pipeline.training.optimizer import build_optimizer
from pipeline.training.phases import Phases


class TwoParts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 3)
        self.head = nn.Linear(3, 1)
        self.positions = nn.Parameter(torch.rand(3), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.encoder(x + self.positions))).square().mean()


def optimization(*phases: tuple[int, tuple[str, ...]]) -> OptimizationSettings:
    steps = sum(steps for steps, _ in phases) or 10
    planned = tuple(PhaseSettings(steps=steps, trains=trains) for steps, trains in phases)
    return OptimizationSettings(steps=steps, batch_size=256, base_learning_rate=0.1, phases=planned)


def trained(task: nn.Module) -> set[str]:
    return {name for name, parameter in task.named_parameters() if parameter.requires_grad}


HEAD, ENCODER = {"head.weight", "head.bias"}, {"encoder.weight", "encoder.bias"}


def test_each_phase_trains_what_it_names_from_its_first_step_on() -> None:
    task = TwoParts()
    phases = Phases(task, optimization((2, ("head.",)), (3, ("encoder.", "head.bias")), (1, ("",))))
    seen = []
    for step in range(6):
        changed = phases.enter(step)
        seen.append((changed, trained(task)))
    first, second, third = HEAD, ENCODER | {"head.bias"}, ENCODER | HEAD
    assert seen == [(True, first), (False, first), (True, second), (False, second), (False, second), (True, third)]


def test_without_phases_all_is_trained_that_can_be() -> None:
    task = TwoParts()
    assert not Phases(task, optimization()).enter(0)
    assert trained(task) == ENCODER | HEAD


@given(first=st.integers(1, 5), second=st.integers(1, 5), data=st.data())
def test_the_phase_follows_from_the_step_alone(first: int, second: int, data: st.DataObject) -> None:
    settings = optimization((first, ("head.",)), (second, ("encoder.",)))
    step = data.draw(st.integers(0, first + second - 1))
    walked, jumped = TwoParts(), TwoParts()
    phases = Phases(walked, settings)
    for earlier in range(step + 1):
        phases.enter(earlier)
    Phases(jumped, settings).enter(step)
    assert trained(walked) == trained(jumped) == (HEAD if step < first else ENCODER)


def test_what_is_not_trained_stays_bit_for_bit_in_spite_of_weight_decay_and_momentum() -> None:
    task = TwoParts()
    settings = optimization((3, ("encoder.", "head.")), (3, ("head.",)))
    optimizer = build_optimizer(task, dict.fromkeys(dict(task.named_parameters()), 0), settings)
    phases = Phases(task, settings)
    history = []
    for step in range(6):
        phases.enter(step)
        before = {name: parameter.detach().clone() for name, parameter in task.named_parameters()}
        task(torch.rand(4, 3)).backward()
        phases.check_gradients()
        optimizer.step()  # and no zero_grad: the last gradients of what is frozen next are still there
        history.append(
            {name for name, parameter in task.named_parameters() if not torch.equal(parameter, before[name])}
        )
    assert history == [ENCODER | HEAD] * 3 + [HEAD] * 3


def test_a_trained_parameter_without_a_gradient_is_named() -> None:
    task = TwoParts()
    task.register_parameter("forgotten", nn.Parameter(torch.zeros(1)))
    phases = Phases(task, optimization())
    phases.enter(0)
    task(torch.rand(4, 3)).backward()
    with pytest.raises(AssertionError, match="forgotten"):
        phases.check_gradients()


def test_a_gradient_of_what_is_not_trained_is_named() -> None:
    task = TwoParts()
    phases = Phases(task, optimization((1, ("head.",))))
    phases.enter(0)
    task(torch.rand(4, 3)).backward()
    task.encoder.bias.grad = torch.zeros(3)
    with pytest.raises(AssertionError, match=r"encoder\.bias"):
        phases.check_gradients()


def test_a_beginning_of_no_name_stops_the_run_before_its_first_step() -> None:
    with pytest.raises(UserError, match=r"'projection\.', which phase 2 trains, begins no parameter's name.*head"):
        Phases(TwoParts(), optimization((2, ("head.",)), (3, ("encoder.", "projection."))))


def test_a_beginning_of_fixed_parameters_only_is_refused() -> None:
    with pytest.raises(UserError, match=r"'positions', which phase 1 trains, begins only .* never trained"):
        Phases(TwoParts(), optimization((2, ("head.", "positions"))))


def test_the_log_says_what_each_phase_trains(caplog: pytest.LogCaptureFixture) -> None:
    phases = Phases(TwoParts(), optimization((2, ("head.",)), (3, ("",))))
    with caplog.at_level(logging.INFO, "pipeline"):
        for step in range(5):
            phases.enter(step)
    assert [record.getMessage() for record in caplog.records] == [
        "phase 1 of 2: trains 2 tensors, 4 parameters of head.bias, head.weight",
        "phase 2 of 2: trains 4 tensors, 16 parameters of encoder.bias, encoder.weight, head.bias, head.weight",
    ]

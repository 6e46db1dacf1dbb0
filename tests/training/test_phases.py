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


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Sequential(nn.GELU(), nn.Dropout(0.5)))
        self.positions = nn.Parameter(torch.rand(3), requires_grad=False)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, affine=False), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.encoder(x + self.positions)))


def modes(task: nn.Module) -> dict[str, bool]:
    return {name: module.training for name, module in task.named_modules()}


def test_modules_of_which_nothing_is_trained_are_evaluated_and_all_others_train() -> None:
    task = Normalised()
    phases = Phases(task, optimization((1, ("head.",)), (1, ("encoder.0.",)), (1, ("",))))
    seen = []
    for step in range(3):
        phases.enter(step)
        phases.let_train()
        seen.append({name for name, trains in modes(task).items() if not trains})
    assert seen[0] == {name for name in modes(task) if name.startswith("encoder")}
    assert seen[1] == {"encoder.1"} | {name for name in modes(task) if name.startswith("head")}
    assert seen[2] == set()


def test_fixed_parameters_do_not_freeze_the_encoder_that_has_them() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.positions = nn.Parameter(torch.rand(3), requires_grad=False)
            self.block = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))

    task = Encoder()
    phases = Phases(task, optimization())
    phases.enter(0)
    phases.let_train()
    assert all(modes(task).values())


def test_what_is_frozen_answers_alike_each_time_and_keeps_its_running_statistics() -> None:
    task = Normalised()
    phases = Phases(task, optimization((1, ("head.",))))
    phases.enter(0)
    phases.let_train()
    before = {name: buffer.clone() for name, buffer in task.named_buffers()}
    images = torch.rand(64, 3)
    assert torch.equal(task.encoder(images), task.encoder(images))
    assert not torch.equal(task(images), task(images))
    moved = {name for name, buffer in task.named_buffers() if not torch.equal(buffer, before[name])}
    assert {name.split(".")[0] for name in moved} == {"head"}

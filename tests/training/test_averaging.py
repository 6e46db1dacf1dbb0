import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from pipeline.training.averaging import WeightAverage


class SmallNetwork(nn.Module):
    """Has what a model has: trained and fixed parameters, averaged statistics and a count."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 4)
        self.norm = nn.BatchNorm1d(4)
        self.positions = nn.Parameter(torch.rand(4), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(x)) + self.positions


@pytest.fixture
def network() -> SmallNetwork:
    torch.manual_seed(0)
    return SmallNetwork()


def train(network: SmallNetwork, step: int) -> None:
    """Take a step that moves parameters and statistics."""
    loss = network(torch.rand(8, 5, generator=torch.Generator().manual_seed(step))).square().sum()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with torch.no_grad():
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter -= 0.1 * gradient


def copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def require_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.mark.parametrize("decay", [0.05, 0.5, 0.9999])
def test_the_module_holds_what_timm_averages(network: SmallNetwork, decay: float) -> None:
    oracle = ModelEmaV3(network, exclude_buffers=True)
    average = WeightAverage(network, decay)
    for step in range(20):
        train(network, step)
        average.update()
        with torch.no_grad():
            oracle.apply_update_no_buffers_(network, min(decay, (1 + step) / (10 + step)))
    with average.swapped():
        require_equal(copied(network), copied(oracle.module))


def test_the_first_average_is_nine_parts_of_ten_the_first_weights(network: SmallNetwork) -> None:
    before, average = network.layer.weight.detach().clone(), WeightAverage(network, 0.9999)
    train(network, 0)
    average.update()
    expected = 0.1 * before + 0.9 * network.layer.weight.detach()
    average.store()
    torch.testing.assert_close(network.layer.weight.detach(), expected)


class ValidationFailedError(Exception):
    """Raised while the averages are validated."""


def fail_inside(average: WeightAverage, network: SmallNetwork) -> None:
    """Fail while the module holds the averages."""
    with average.swapped():
        assert torch.equal(network.layer.weight, average.state_dict()["averages"]["layer.weight"])
        network.layer.weight.data.zero_()
        raise ValidationFailedError


def test_weights_come_back_bit_for_bit_even_from_an_exception(network: SmallNetwork) -> None:
    average = WeightAverage(network, 0.9)
    train(network, 0)
    average.update()
    weights, averages = copied(network), {name: t.clone() for name, t in average.state_dict()["averages"].items()}
    assert not torch.equal(network.layer.weight, averages["layer.weight"])
    with pytest.raises(ValidationFailedError):
        fail_inside(average, network)
    require_equal(copied(network), weights)
    require_equal(average.state_dict()["averages"], averages)


def test_a_resumed_average_is_that_of_an_undisturbed_run(network: SmallNetwork) -> None:
    average = WeightAverage(network, 0.9999)
    saved = io.BytesIO()
    for step in range(6):
        if step == 3:
            torch.save({"task": network.state_dict(), "average": average.state_dict()}, saved)
        train(network, step)
        average.update()
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    resumed = SmallNetwork()
    continued = WeightAverage(resumed, 0.9999)
    resumed.load_state_dict(state["task"])
    continued.load_state_dict(state["average"])
    for step in range(3, 6):
        train(resumed, step)
        continued.update()
    average.store()
    continued.store()
    require_equal(copied(resumed), copied(network))


def test_averages_of_another_model_are_refused(network: SmallNetwork) -> None:
    state = WeightAverage(nn.Linear(5, 4), 0.9).state_dict()
    with pytest.raises(ValueError, match="of other parameters"):
        WeightAverage(network, 0.9).load_state_dict(state)


@given(decay=st.floats(0.001, 0.9999), updates=st.integers(0, 30))
def test_weights_that_do_not_move_are_their_own_average(decay: float, updates: int) -> None:
    network = SmallNetwork()
    average, weights = WeightAverage(network, decay), copied(network)
    for _ in range(updates):
        average.update()
    average.store()
    require_equal(copied(network), weights)


def test_the_average_of_half_precision_weights_is_kept_in_single_precision() -> None:
    network = nn.Linear(64, 64, dtype=torch.bfloat16)
    average = WeightAverage(network, 0.999)
    with torch.no_grad():
        for step in range(200):
            network.weight.fill_(1.0 if step < 100 else 1.0078125)  # the next number that bfloat16 has
            average.update()
    kept = average.state_dict()["averages"]["weight"]
    assert kept.dtype == torch.float32
    assert ((kept > 1.0) & (kept < 1.0078125)).all()

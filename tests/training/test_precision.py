import io
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.settings.training import OptimizationSettings
from pipeline.training.averaging import WeightAverage
from pipeline.training.optimizer import build_optimizer
from pipeline.training.precision import Precision, PrecisionName

CPU = torch.device("cpu")
SETTINGS = OptimizationSettings(steps=10, batch_size=256, base_learning_rate=0.01)
NAMES: tuple[PrecisionName, ...] = ("float32", "bfloat16", "float16")


class Trained:
    """A small network that is trained in some precision."""

    def __init__(self, name: PrecisionName, clip_norm: float | None = None) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 4))
        layers = dict.fromkeys(dict(self.network.named_parameters()), 0)
        self.optimizer = build_optimizer(self.network, layers, SETTINGS)
        self.precision = Precision(name, CPU)
        self.clip_norm = clip_norm

    def step(self, number: int, factor: float = 1.0) -> None:
        with self.precision.autocast():
            predicted = self.network(torch.rand(32, 8, generator=torch.Generator().manual_seed(number)))
        self.precision.backward(predicted.float().square().mean() * factor)
        self.precision.step(self.optimizer, self.network.parameters(), self.clip_norm)
        self.optimizer.zero_grad(set_to_none=True)

    def weights(self) -> Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self.network.parameters()])

    def state(self) -> dict[str, object]:
        parts = {"network": self.network, "optimizer": self.optimizer, "precision": self.precision}
        return {name: part.state_dict() for name, part in parts.items()}


@pytest.mark.parametrize("name", NAMES)
def test_products_have_the_precision_and_weights_stay_single(name: PrecisionName) -> None:
    trained = Trained(name)
    with trained.precision.autocast():
        assert trained.network(torch.rand(2, 8)).dtype == getattr(torch, name)
    trained.step(0)
    assert trained.weights().dtype == torch.float32


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_small_formats_train_to_nearly_the_same_weights(name: PrecisionName, clip_norm: float | None) -> None:
    small, single = Trained(name, clip_norm), Trained("float32", clip_norm)
    before = single.weights()
    for number in range(10):
        small.step(number)
        single.step(number)
    moved, difference = (single.weights() - before).norm(), (single.weights() - small.weights()).norm()
    assert difference < 0.2 * moved


def test_float16_keeps_gradients_that_vanish_without_a_scale() -> None:
    trained = Trained("float16")
    before = trained.weights()
    trained.step(0, factor=1e-7)
    assert not torch.equal(trained.weights()[:128], before[:128])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_clipped_at_their_own_size(name: PrecisionName) -> None:
    trained = Trained(name, clip_norm=1e-3)
    with trained.precision.autocast():
        predicted = trained.network(torch.rand(32, 8))
    trained.precision.backward(predicted.float().square().mean())
    trained.precision.step(trained.optimizer, trained.network.parameters(), trained.clip_norm)
    gradients = [parameter.grad for parameter in trained.network.parameters() if parameter.grad is not None]
    assert nn.utils.get_total_norm(gradients).item() == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_float16_step_that_overflows_is_skipped_and_the_next_scale_is_lower(clip_norm: float | None) -> None:
    trained = Trained("float16", clip_norm)
    trained.step(0)
    before, scale = trained.weights(), trained.precision.state_dict()["scale"]
    trained.step(1, factor=math.inf)
    assert torch.equal(trained.weights(), before)
    assert trained.precision.state_dict()["scale"] == scale / 2
    trained.step(2)
    assert not torch.equal(trained.weights(), before)
    assert trained.weights().isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_precision_takes_the_same_steps(name: PrecisionName) -> None:
    undisturbed = Trained(name, clip_norm=0.1)
    saved = io.BytesIO()
    for number in range(6):
        if number == 3:
            torch.save(undisturbed.state(), saved)
        undisturbed.step(number, factor=1e30 if number == 1 else 1.0)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    resumed = Trained(name, clip_norm=0.1)
    resumed.network.load_state_dict(state["network"])
    resumed.optimizer.load_state_dict(state["optimizer"])
    resumed.precision.load_state_dict(state["precision"])
    for number in range(3, 6):
        resumed.step(number)
    assert torch.equal(resumed.weights(), undisturbed.weights())
    assert resumed.precision.state_dict() == undisturbed.precision.state_dict()


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_only_float16_has_a_state(name: PrecisionName) -> None:
    assert Precision(name, CPU).state_dict() == {}


class Operators(TorchDispatchMode):
    """Note the operators that are run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(operator.overloadpacket.__name__)
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_a_step_never_waits_for_a_value_from_the_device(name: PrecisionName, clip_norm: float | None) -> None:
    trained, reading = Trained(name, clip_norm), "_local_scalar_dense"
    average = WeightAverage(trained.network, 0.99)
    with Operators() as run:
        for number in range(3):
            trained.step(number)
            average.update()
    assert reading not in run.names
    with Operators() as run:
        trained.weights().sum().item()
    assert reading in run.names

import math

import pytest

from pipeline.settings.training import OptimizationSettings
from pipeline.training.schedule import learning_rate


# Golden values of spec Medical MAE G, counted in epochs.
@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, 0), (20, 6e-4), (40, 1.2e-3), (200, 1.07348e-3), (420, 6e-4), (600, 1.9363e-4), (799, 1e-8)],
)
def test_medical_mae_learning_rates(epoch: int, expected: float) -> None:
    settings = OptimizationSettings(steps=800, warmup_steps=40, batch_size=2048, base_learning_rate=1.5e-4)
    assert settings.learning_rate == pytest.approx(1.2e-3)
    assert learning_rate(epoch, settings) == pytest.approx(expected, rel=3e-3, abs=1e-8)


@pytest.mark.parametrize(("epoch", "expected"), [(5, 7.5e-4), (10, 1.5e-3), (205, 7.505e-4), (399, 1.02e-6)])
def test_cxr_mim_learning_rates(epoch: int, expected: float) -> None:
    settings = OptimizationSettings(
        steps=400, warmup_steps=10, batch_size=128, base_learning_rate=3e-3, min_learning_rate=1e-6
    )
    assert learning_rate(epoch, settings) == pytest.approx(expected, rel=5e-3)


def test_the_rate_rises_then_falls_to_its_floor() -> None:
    settings = OptimizationSettings(steps=100, warmup_steps=10, batch_size=256, min_learning_rate=1e-5)
    rates = [learning_rate(step, settings) for step in range(101)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert math.isclose(rates[-1], 1e-5)

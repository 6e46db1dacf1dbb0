import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0), (2.5, 5e-4), (5, 1e-3), (40, 5.05e-4), (74, 1.05e-5)])
def test_fine_tuning_learning_rates(epoch: float, expected: float) -> None:
    settings = OptimizationSettings(
        steps=75, warmup_steps=5, batch_size=1024, base_learning_rate=2.5e-4, min_learning_rate=1e-5
    )
    assert learning_rate(epoch, settings) == pytest.approx(expected, rel=1e-3)


@st.composite
def schedules(draw: st.DrawFn) -> OptimizationSettings:
    steps = draw(st.integers(1, 10_000))
    return OptimizationSettings(
        steps=steps,
        warmup_steps=draw(st.integers(0, steps - 1)),
        batch_size=256,
        base_learning_rate=draw(st.floats(1e-3, 1.0)),
        min_learning_rate=draw(st.floats(0.0, 1e-4)),
    )


@given(settings=schedules(), places=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_rate_rises_to_its_peak_and_then_falls(settings: OptimizationSettings, places: tuple[float, float]) -> None:
    earlier, later = sorted(places)
    warmup, rest = settings.warmup_steps, settings.steps - settings.warmup_steps
    assert learning_rate(earlier * warmup, settings) <= learning_rate(later * warmup, settings)
    slack = 1e-12 * settings.learning_rate
    assert learning_rate(warmup + earlier * rest, settings) >= learning_rate(warmup + later * rest, settings) - slack


@given(settings=schedules())
def test_the_rate_is_the_peak_after_the_warmup_and_the_floor_one_step_after_the_last(
    settings: OptimizationSettings,
) -> None:
    assert learning_rate(settings.warmup_steps, settings) == pytest.approx(settings.learning_rate)
    assert learning_rate(settings.steps, settings) == pytest.approx(settings.min_learning_rate, abs=1e-15)
    assert learning_rate(settings.steps - 1, settings) > learning_rate(settings.steps, settings)


@given(settings=schedules(), place=st.floats(0, 1))
def test_the_rate_has_no_jumps(settings: OptimizationSettings, place: float) -> None:
    step, near = place * settings.steps, 1e-4
    shorter = min(settings.warmup_steps or settings.steps, settings.steps - settings.warmup_steps)
    steepest = settings.learning_rate * math.pi / 2 / shorter
    jump = abs(learning_rate(step + near, settings) - learning_rate(step, settings))
    assert jump <= 1.01 * near * steepest + 1e-12

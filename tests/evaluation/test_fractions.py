import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.fractions import patients_within

PATIENTS = [f"p{image // 2}" for image in range(20_000)]


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_share_is_inside_every_larger_one(one: float, other: float) -> None:
    small, large = (patients_within(PATIENTS[:200], fraction, seed=0) for fraction in sorted((one, other)))
    assert not (small & ~large).any()


def test_patients_stay_whole_and_the_share_is_what_was_asked_for() -> None:
    within = patients_within(PATIENTS, 0.1, seed=3)
    np.testing.assert_array_equal(within[::2], within[1::2])
    assert within.mean() == pytest.approx(0.1, abs=0.01)


def test_the_whole_is_everybody() -> None:
    assert patients_within(PATIENTS, 1.0, seed=0).all()

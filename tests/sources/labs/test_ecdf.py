"""Percentiles of laboratory values: the laws of a distribution function, and scipy's."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ecdf

from pipeline.sources.labs.ecdf import LabScale

CELL = st.one_of(st.just(np.nan), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6))
TABLE = st.integers(1, 12).flatmap(lambda rows: arrays(np.float64, (rows, 3), elements=CELL))


@settings(deadline=None)
@given(train=TABLE, other=TABLE)
def test_percentiles_are_those_of_scipy(train: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> None:
    percentiles = LabScale.fit(train).transform(other)
    for item in range(3):
        known = train[~np.isnan(train[:, item]), item]
        if len(known):
            measured = ~np.isnan(other[:, item])
            oracle = ecdf(known).cdf.evaluate(other[measured, item])
            np.testing.assert_allclose(percentiles.values[measured, item], oracle, rtol=1e-6)
            assert percentiles.observed[:, item].tolist() == measured.tolist()


@settings(deadline=None)
@given(train=TABLE, other=TABLE)
def test_percentiles_lie_between_zero_and_one(train: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> None:
    values = LabScale.fit(train).transform(other).values
    assert np.isfinite(values).all()
    assert ((values >= 0) & (values <= 1)).all()


@settings(deadline=None)
@given(train=TABLE, values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9))
def test_a_larger_value_has_no_smaller_percentile(train: npt.NDArray[np.float64], values: list[float]) -> None:
    ascending = np.repeat(np.sort(values)[:, None], 3, axis=1)
    percentiles = LabScale.fit(train).transform(ascending).values
    assert (np.diff(percentiles, axis=0) >= 0).all()


@settings(deadline=None)
@given(train=TABLE)
def test_the_step_belongs_to_the_value_and_what_follows(train: npt.NDArray[np.float64]) -> None:
    scale = LabScale.fit(train)
    known = ~np.isnan(train)
    at, after, before = (
        scale.transform(moved).values for moved in (train, np.nextafter(train, np.inf), np.nextafter(train, -np.inf))
    )
    followed = np.isin(np.nextafter(train, np.inf), train)
    np.testing.assert_array_equal(at[known & ~followed], after[known & ~followed])
    assert (before[known] < at[known]).all()


def test_what_was_not_measured_takes_the_mean_percentile_of_train() -> None:
    train = np.array([[1.0, np.nan], [2.0, 5.0], [2.0, np.nan], [np.nan, 6.0]])
    percentiles = LabScale.fit(train).transform([[np.nan, 5.5]])
    np.testing.assert_allclose(percentiles.values, [[(1 / 3 + 1 + 1) / 3, 0.5]])
    assert percentiles.observed.tolist() == [[False, True]]


def test_an_item_that_train_never_measured_counts_as_not_measured() -> None:
    percentiles = LabScale.fit([[1.0, np.nan]]).transform([[1.0, 3.0]])
    assert percentiles.observed.tolist() == [[True, False]]
    assert percentiles.values.tolist() == [[1.0, 0.5]]

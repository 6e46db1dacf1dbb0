"""Glyphs show the edges that histograms of gradients tell of."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.hog_glyphs import glyphs, strokes

SIDE = 16
ANGLES = np.arange(4) * math.pi / 4
RIGHT, RIGHT_AND_DOWN, DOWN, LEFT_AND_DOWN = range(4)


def one_cell(*values: float) -> np.ndarray:
    return glyphs(np.array(values).reshape(1, 1, -1), ANGLES, SIDE)


def lit(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets from the centre, to the right and down, of the bright pixels."""
    down, right = np.nonzero(drawn > 0.4)
    return right - (SIDE - 1) / 2, down - (SIDE - 1) / 2


@pytest.mark.parametrize(
    ("gradient", "along"),
    [
        pytest.param(RIGHT, (0, 1), id="a gradient to the right is an upright edge"),
        pytest.param(DOWN, (1, 0), id="a gradient downwards is a level edge"),
        pytest.param(RIGHT_AND_DOWN, (1, -1), id="a gradient to the right and down is an edge that rises"),
        pytest.param(LEFT_AND_DOWN, (1, 1), id="a gradient to the left and down is an edge that falls"),
    ],
)
def test_a_stroke_lies_along_the_edge_through_the_whole_cell(gradient: int, along: tuple[int, int]) -> None:
    right, down = lit(one_cell(*(float(place == gradient) for place in range(4))))
    direction = np.array(along) / math.hypot(*along)
    np.testing.assert_array_less(np.abs(right * direction[1] - down * direction[0]), 1.5)
    distances = right * direction[0] + down * direction[1]
    assert distances.min() < 2 - SIDE / 2
    assert distances.max() > SIDE / 2 - 2


def test_a_clear_edge_is_white_and_a_cell_without_gradient_is_black() -> None:
    assert one_cell(0, 1, 0, 0).max() == 1
    assert not one_cell(0, 0, 0, 0).any()


def test_an_edge_that_lies_between_two_bins_shows_both_at_half_the_brightness() -> None:
    halves = one_cell(math.sqrt(0.5), 0, math.sqrt(0.5), 0)
    assert halves.max() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(halves, halves.T, atol=1e-9)


def test_predictions_outside_the_range_of_histograms_are_clipped() -> None:
    np.testing.assert_array_equal(one_cell(1.7, -0.6, 0, 0), one_cell(1, 0, 0, 0))


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), side=st.integers(4, 12), data=st.data())
def test_every_cell_is_drawn_in_its_place(rows: int, columns: int, side: int, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    histograms = np.zeros((rows, columns, 4))
    histograms[row, column, 2] = 1
    drawn = glyphs(histograms, ANGLES, side)
    inside = drawn[row * side : (row + 1) * side, column * side : (column + 1) * side].copy()
    drawn[row * side : (row + 1) * side, column * side : (column + 1) * side] = 0
    assert drawn.shape == (rows * side, columns * side)
    assert inside.any()
    assert not drawn.any()


def test_strokes_of_opposite_gradients_are_the_same() -> None:
    np.testing.assert_allclose(strokes(ANGLES, SIDE), strokes(ANGLES + math.pi, SIDE), atol=1e-9)

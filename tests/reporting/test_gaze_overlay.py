"""An overlay shows which patches are hidden, which are clinical, and where readers looked."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from pipeline.reporting.gaze_overlay import DIMMED, HEAT, MOST_HEAT, OUTLINE, gray, outline, overlay

CELL = 16
NONE = np.zeros((3, 3), np.bool_)


def one(row: int, column: int) -> np.ndarray:
    patches = NONE.copy()
    patches[row, column] = True
    return patches


def patch(image: np.ndarray, row: int, column: int) -> np.ndarray:
    return image[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]


@pytest.fixture
def image() -> np.ndarray:
    return gray(np.random.default_rng(0).random((3 * CELL, 3 * CELL)))


def test_an_image_of_which_all_is_visible_and_nobody_looked_at_stays_as_it_is(image: np.ndarray) -> None:
    np.testing.assert_array_equal(overlay(image, None, NONE, NONE), image)
    np.testing.assert_array_equal(overlay(image, np.zeros((3 * CELL, 3 * CELL)), NONE, NONE), image)


def test_hidden_patches_are_dimmed_and_hatched_and_no_other(image: np.ndarray) -> None:
    shown = overlay(image, None, one(1, 2), NONE)
    changed = (shown != image).any(axis=2)
    assert patch(changed, 1, 2).all()
    assert changed.sum() == CELL**2
    dimmed = np.isclose(patch(shown, 1, 2), DIMMED * patch(image, 1, 2)).all(axis=2)
    assert 0 < (~dimmed).sum() < CELL**2 / 4
    assert (~dimmed).any(axis=0).all()  # hatching crosses every column


def test_heat_is_densest_where_readers_looked_longest(image: np.ndarray) -> None:
    gaze = np.zeros((3 * CELL, 3 * CELL))
    gaze[5, 7], gaze[5, 8] = 1, 0.5
    shown = overlay(image, gaze, NONE, NONE)
    for column, share in ((7, MOST_HEAT), (8, MOST_HEAT / 2)):
        np.testing.assert_allclose(shown[5, column], (1 - share) * image[5, column] + share * np.array(to_rgb(HEAT)))
    assert (shown != image).any(axis=2).sum() == 2


def test_a_line_runs_inside_each_group_of_clinical_patches_and_not_between_them(image: np.ndarray) -> None:
    pair = one(1, 1) | one(1, 2)
    shown = overlay(image, None, NONE, pair)
    drawn = (shown == np.array(to_rgb(OUTLINE))).all(axis=2)
    np.testing.assert_array_equal(drawn, outline(pair, CELL))
    assert drawn[CELL : CELL + 2, CELL:].all()
    assert drawn[CELL : 2 * CELL, -2:].all()  # at the border of the image too
    assert not drawn[CELL + 2 : 2 * CELL - 2, CELL + 2 : -2].any()
    assert not drawn[:CELL].any()

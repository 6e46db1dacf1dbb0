"""Pictures of CXR-MIM show what was hidden, what was to be predicted, and what was."""

import math
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from pipeline.reporting.gaze_pictures import FAINT, GAP, GROUND, HEADER, UNASKED, draw_gaze_pictures, montage
from pipeline.tasks.pyramid_pictures import Gradients, PyramidPictures

SIDE, ROWS, BINS = 64, 4, 4
FACTOR = 7
PANEL = SIDE * FACTOR
CLEAR = 255
"""A stroke of a hidden cell; no pixel is brighter."""


def gradients(cell: int, hidden: np.ndarray) -> Gradients:
    """Return upright edges as targets, level ones as predictions."""
    rows = SIDE // cell
    values = np.zeros((2, len(hidden), rows, rows, BINS), np.float32)
    values[0, ..., 0] = values[1, ..., 2] = 1
    spread = rows // ROWS
    return Gradients(cell, hidden.repeat(spread, axis=1).repeat(spread, axis=2), values[0], values[1])


@pytest.fixture
def pictures() -> PyramidPictures:
    """Return two images, of which the upper half is hidden; the second has no gaze map."""
    generator = np.random.default_rng(0)
    hidden = np.zeros((2, ROWS, ROWS), np.bool_)
    hidden[:, : ROWS // 2] = True
    gaze = np.zeros((2, SIDE, SIDE), np.float32)
    gaze[0, 40:50, 10:30] = 1
    clinical = np.zeros_like(hidden)
    clinical[0, 2] = True
    return PyramidPictures(
        images=generator.random((2, SIDE, SIDE), dtype=np.float32),
        gaze=gaze,
        gazed=np.array([True, False]),
        hidden=hidden,
        clinical=clinical,
        angles=np.arange(BINS) * math.pi / BINS,
        scales=(gradients(4, hidden), gradients(16, hidden)),
    )


def panel(grid: np.ndarray, sample: int, line: int, column: int, lines: int = 2) -> np.ndarray:
    top = (sample * lines + line) * (PANEL + GAP) + sample * 2 * GAP
    left = column * (PANEL + GAP)
    return grid[top : top + PANEL, left : left + PANEL]


def enlarged(image: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.kron(image, np.ones((FACTOR, FACTOR))))[..., None]


def level(gray: float) -> int:
    return round(255 * gray)


def test_the_second_line_of_a_sample_begins_with_the_image_as_it_is(pictures: PyramidPictures) -> None:
    grid = montage(pictures)
    for sample, image in enumerate(pictures.images):
        np.testing.assert_array_equal(panel(grid, sample, 1, 0), enlarged(image).repeat(3, axis=2))


def test_heat_stands_only_over_images_that_have_a_gaze_map(pictures: PyramidPictures) -> None:
    grid = montage(pictures)
    visible = slice(PANEL // 2, PANEL)
    np.testing.assert_array_equal(panel(grid, 1, 0, 0)[visible], panel(grid, 1, 1, 0)[visible])
    looked_at = panel(grid, 0, 0, 0)[45 * FACTOR, 20 * FACTOR].astype(int)
    assert looked_at[0] > looked_at[2] + 50  # red above blue


@pytest.mark.parametrize("line", [0, 1])
def test_targets_are_drawn_everywhere_and_faint_where_visible(pictures: PyramidPictures, line: int) -> None:
    target = panel(montage(pictures), 0, line, 1)
    assert target[: PANEL // 2].max() == CLEAR
    assert target[PANEL // 2 :].max() == level(GROUND + (1 - GROUND) * FAINT)


@pytest.mark.parametrize("line", [0, 1])
def test_predictions_are_drawn_for_hidden_cells_alone(pictures: PyramidPictures, line: int) -> None:
    predicted = panel(montage(pictures), 0, line, 2)
    assert predicted[: PANEL // 2].max() == CLEAR
    assert (predicted[PANEL // 2 :] == level(UNASKED)).all()


def test_what_was_predicted_stands_beside_what_was_to_be(pictures: PyramidPictures) -> None:
    cell = 16 * FACTOR
    target, predicted = (panel(montage(pictures), 0, 1, column)[:cell, :cell, 0] for column in (1, 2))
    assert (target.max(axis=0) == CLEAR).sum() < cell / 4 < (target.max(axis=1) == CLEAR).sum()  # upright
    np.testing.assert_array_equal(predicted, target.T)  # level


def test_a_single_scale_takes_a_single_line(pictures: PyramidPictures) -> None:
    grid = montage(replace(pictures, scales=pictures.scales[:1]))
    assert grid.shape == (2 * PANEL + 3 * GAP, 3 * PANEL + 2 * GAP, 3)
    np.testing.assert_array_equal(panel(grid, 1, 0, 1, lines=1), panel(montage(pictures), 1, 0, 1))


def test_the_file_holds_the_panels_unblurred_and_is_the_same_each_time(
    pictures: PyramidPictures, tmp_path: Path
) -> None:
    figures = [tmp_path / name for name in ("first.png", "second.png")]
    for figure in figures:
        draw_gaze_pictures(pictures, figure)
    assert figures[0].read_bytes() == figures[1].read_bytes()
    shown = np.rint(255 * matplotlib.image.imread(figures[0])[HEADER:, :, :3]).astype(np.uint8)
    without_label = slice(0, PANEL - 5 * GAP)
    grid = montage(pictures)
    for sample, line, column in np.ndindex(2, 2, 3):
        where = (sample, line, column)
        np.testing.assert_array_equal(panel(shown, *where)[without_label], panel(grid, *where)[without_label])


def test_an_image_without_gaze_map_says_so_where_others_have_one(pictures: PyramidPictures, tmp_path: Path) -> None:
    draw_gaze_pictures(pictures, tmp_path / "some.png")
    draw_gaze_pictures(replace(pictures, gaze=None), tmp_path / "none.png")
    grid, corner = montage(pictures), slice(PANEL - 5 * GAP, PANEL)
    shown, unread = (
        np.rint(255 * matplotlib.image.imread(tmp_path / name)[HEADER:, :, :3]) for name in ("some.png", "none.png")
    )
    plain = panel(grid, 1, 0, 0)[corner]
    assert (panel(shown, 1, 0, 0)[corner] != plain).any()
    np.testing.assert_array_equal(panel(unread, 1, 0, 0)[corner], plain)

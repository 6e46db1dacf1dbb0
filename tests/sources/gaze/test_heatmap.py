"""Heat maps of fixations, against the authors' recipe on the full grid."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from pipeline.records.errors import UserError
from pipeline.sources.gaze.fixations import Fixations
from pipeline.sources.gaze.heatmap import Shape, as_gray, heatmap, mean_heatmap
from pipeline.sources.gaze.readings import image_heatmap

SHAPES = st.tuples(st.integers(8, 40), st.integers(8, 40))


def fixations(seed: int, shape: Shape, count: int = 6) -> Fixations:
    """Draw fixations on an image, some zoomed in, some just off the image."""
    rng = np.random.default_rng(seed)
    height, width = shape
    start = np.cumsum(rng.uniform(0.1, 1.0, count))
    low = rng.uniform(0, 0.4, (count, 2)) * (width, height)
    high = rng.uniform(0.6, 1.0, (count, 2)) * (width, height)
    return Fixations(
        times=np.stack([start, start + rng.uniform(0.1, 0.8, count)], axis=1),
        position=rng.uniform(-0.1, 1.1, (count, 2)) * (width, height),
        resolution=rng.uniform(0.1, 0.3, (count, 2)) * (width, height),
        shown=np.concatenate([low, high], axis=1),
        on_screen=np.tile([600.0, 100.0, 3000.0, 2000.0], (count, 1)),
    )


def by_multivariate_normal(reading: Fixations, shape: Shape) -> np.ndarray:
    """Follow the authors' recipe pixel by pixel (spec CXR-MIM B3)."""
    total = np.zeros(shape)
    for at, spread, shown, seconds in zip(
        reading.position, reading.resolution, reading.shown, reading.duration, strict=True
    ):
        left, top, right, bottom = (round(edge) for edge in shown)
        rows, columns = np.mgrid[top:bottom, left:right]
        density = multivariate_normal(at[::-1], np.diag(spread[::-1] ** 2)).pdf(np.stack([rows, columns], axis=-1))
        total[top:bottom, left:right] += density * seconds
    return total / total.sum()


@given(seed=st.integers(0, 1000), shape=SHAPES)
def test_a_heat_map_is_the_authors(seed: int, shape: Shape) -> None:
    reading = fixations(seed, shape)
    np.testing.assert_allclose(heatmap(reading, shape), by_multivariate_normal(reading, shape), rtol=1e-5, atol=1e-9)


@given(seed=st.integers(0, 1000), shape=SHAPES, divisor=st.integers(1, 4))
def test_a_small_map_is_the_area_sum_of_the_full_one(seed: int, shape: Shape, divisor: int) -> None:
    reading = fixations(seed, shape)
    small = (max(1, shape[0] // divisor), max(1, shape[1] // divisor))
    mean = cv2.resize(heatmap(reading, shape), small[::-1], interpolation=cv2.INTER_AREA)
    expected = mean * (shape[0] * shape[1] / (small[0] * small[1]))
    np.testing.assert_allclose(heatmap(reading, shape, small), expected, rtol=2e-4, atol=1e-6)


@given(seed=st.integers(0, 1000), shape=SHAPES, output=SHAPES)
def test_a_map_of_any_size_is_a_distribution(seed: int, shape: Shape, output: Shape) -> None:
    shares = heatmap(fixations(seed, shape), shape, output)
    assert shares.shape == output
    assert shares.dtype == np.float32
    assert (shares >= 0).all()
    assert shares.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)


def test_nothing_lies_outside_the_part_that_was_shown() -> None:
    reading = fixations(3, (30, 40))
    reading.shown[:] = [9.6, 4.4, 29.5, 21.5]  # rounds to columns 10 to 29 and rows 4 to 21, halves to even
    seen = heatmap(reading, (30, 40)) > 0
    assert (np.flatnonzero(seen.any(axis=0))[[0, -1]] == [10, 29]).all()
    assert (np.flatnonzero(seen.any(axis=1))[[0, -1]] == [4, 21]).all()


def test_a_view_larger_than_the_image_shows_the_whole_image() -> None:
    reading = fixations(3, (30, 40))
    reading.shown[:] = [-5, -5, 60, 60]
    whole = heatmap(reading, (30, 40))
    reading.shown[:] = [0, 0, 40, 30]
    np.testing.assert_array_equal(whole, heatmap(reading, (30, 40)))


def test_each_reader_of_an_image_counts_alike_however_long_he_looked() -> None:
    quick, slow = fixations(1, (20, 20)), fixations(2, (20, 20), count=60)
    maps = [heatmap(reading, (20, 20)) for reading in (quick, slow)]
    np.testing.assert_allclose(mean_heatmap(maps), (maps[0] + maps[1]) / 2, rtol=1e-6)


def test_the_gray_map_peaks_at_255() -> None:
    gray = as_gray(heatmap(fixations(0, (30, 40)), (30, 40)))
    assert gray.dtype == np.uint8
    assert gray.max() == 255


def test_a_reading_that_never_rests_on_the_image_is_refused_by_name(tmp_path: Path) -> None:
    table = tmp_path / "fixations.csv"
    ends = ("xmin", "ymin", "xmax", "ymax")
    header = [
        "timestamp_start_fixation,timestamp_end_fixation,x_position,y_position",
        "angular_resolution_x_pixels_per_degree,angular_resolution_y_pixels_per_degree",
        *(f"{end}_shown_from_image" for end in ends),
        *(f"{end}_in_screen_coordinates" for end in ends),
    ]
    table.write_text(",".join(header) + "\r\n0.1,0.4,9000,9000,10,10,0,0,40,30,600,100,3000,2000\r\n")
    with pytest.raises(UserError, match=r"fixations\.csv: no fixation falls on the part of the image that was shown"):
        image_heatmap([table], "all", (30, 40))
    with pytest.raises(UserError, match=r"fixations\.csv: no fixation falls"):
        image_heatmap([table], "on_image", (30, 40))

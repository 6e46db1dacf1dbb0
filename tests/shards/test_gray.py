import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.shards.gray import GrayImage, resize_short_side
from pipeline.shards.lanczos import Reduction, axis_weights, resample

sides = st.integers(8, 90)
seeds = st.integers(0, 2**32 - 1)


def noise(height: int, width: int, seed: int = 0) -> GrayImage:
    """Return black and white noise, which makes the filter overshoot most."""
    return np.random.default_rng(seed).integers(0, 2, (height, width), dtype=np.uint8) * np.uint8(255)


def by_pillow(image: GrayImage, height: int, width: int) -> NDArray[np.int64]:
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)).astype(np.int64)


@given(sides, sides, st.integers(8, 64))
def test_resizing_sets_the_short_side_and_keeps_the_aspect(height: int, width: int, side: int) -> None:
    resized = resize_short_side(noise(height, width), side)
    assert min(resized.shape) == side
    assert max(resized.shape) == pytest.approx(side * max(height, width) / min(height, width), abs=0.51)


@given(sides, sides, st.integers(8, 128), seeds)
def test_resizing_is_within_a_gray_level_of_pillows_lanczos(height: int, width: int, side: int, seed: int) -> None:
    # Not black and white: what overshoots is cut off between rows and columns, and Pillow's order of them varies.
    image = noise(height, width, seed) // 4 + np.uint8(96)
    resized = resize_short_side(image, side)
    assert np.abs(resized - by_pillow(image, *resized.shape)).max() <= 1


@given(sides, sides, st.floats(0, 1 / 12))
def test_sums_of_the_filter_never_round_in_32_bits(length: int, wanted: int, blur: float) -> None:
    sizes = np.abs(axis_weights(length, wanted, length, blur).toarray())
    np.testing.assert_array_equal(sizes, np.rint(sizes))
    assert sizes.sum(axis=1).max() * 255 * 8 < 2**24


@given(sides, sides, st.integers(8, 64), st.integers(0, 255))
def test_an_even_image_stays_even(height: int, width: int, side: int, level: int) -> None:
    resized = resize_short_side(np.full((height, width), level, np.uint8), side)
    assert (resized == level).all()


def test_detail_finer_than_the_result_is_averaged() -> None:
    checkers = (np.indices((96, 96)).sum(axis=0) % 2 * 200).astype(np.uint8)
    inner = resize_short_side(checkers, 16)[4:-4, 4:-4]
    assert (inner == 100).all()


def test_an_image_of_the_wanted_size_is_left_as_it_is() -> None:
    image = noise(40, 50)
    np.testing.assert_array_equal(resize_short_side(image, 40), image)


def test_pixels_beyond_the_picture_do_not_shift_the_picture() -> None:
    ramp = np.tile(np.linspace(0, 250, 100), (60, 1))
    padded = np.pad(ramp, ((0, 0), (0, 1)), mode="edge")
    plain, cut = resample(np.rint(ramp).astype(np.uint8), (30, 40)), np.rint(padded).astype(np.uint8)
    within = resample(cut, (30, 40), Reduction(60, 100)).astype(int)
    stretched = resample(cut, (30, 40)).astype(int)
    assert np.abs(within - plain).max() <= 1
    assert np.abs(stretched - plain).max() > 1

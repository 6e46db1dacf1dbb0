"""Reconstructions show every pixel of every sample, sharp and in its place."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from pipeline.reporting.reconstructions import BASELINES, GAP, HEADER, HIDDEN, draw_reconstructions, montage


def made_up_images(samples: int, side: int) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(key=samples))
    return generator.random((samples, 3, side, side))


def test_each_pixel_becomes_a_sharp_square() -> None:
    triplets = made_up_images(1, 28)
    grid = montage(triplets)
    left = 28 * 4 + GAP
    square = grid[4 * 5 : 4 * 6, left + 4 * 7 : left + 4 * 8]
    assert grid.shape == (28 * 4, 3 * 28 * 4 + 2 * GAP, 3)
    assert (square == round(255 * triplets[0, 1, 5, 7])).all()


def test_hidden_pixels_are_tinted_and_values_outside_the_range_are_clipped() -> None:
    triplets = np.zeros((1, 3, 112, 112))
    triplets[0, 0, 0, 0], triplets[0, 0, 0, 1], triplets[0, 0, 0, 2] = np.nan, 1.5, -0.5
    shown = montage(triplets)[0, :3]
    np.testing.assert_array_equal(shown, [np.rint(255 * np.array(HIDDEN)), [255] * 3, [0] * 3])


def test_the_file_holds_the_images_unblurred_and_is_the_same_each_time(tmp_path: Path) -> None:
    masked, reconstructed, original = np.moveaxis(made_up_images(3, 32), 1, 0)
    figures = [tmp_path / name for name in ("first.png", "second.png")]
    for figure in figures:
        draw_reconstructions(original, masked, reconstructed, figure)
    assert figures[0].read_bytes() == figures[1].read_bytes()
    pixels = np.rint(255 * matplotlib.image.imread(figures[0])[HEADER:, :, :3]).astype(np.uint8)
    np.testing.assert_array_equal(pixels, montage(np.stack([masked, reconstructed, original], axis=1)))


def test_a_note_stands_above_the_titles_and_changes_no_image(tmp_path: Path) -> None:
    masked, reconstructed, original = np.moveaxis(made_up_images(2, 112), 1, 0)
    plain, noted = (tmp_path / name for name in ("plain.png", "noted.png"))
    draw_reconstructions(original, masked, reconstructed, plain)
    draw_reconstructions(original, masked, reconstructed, noted, "tinted: hidden")
    without, with_note = (matplotlib.image.imread(figure) for figure in (plain, noted))
    assert (without[: BASELINES[0]] != with_note[: BASELINES[0]]).any()
    np.testing.assert_array_equal(without[HEADER // 2 :], with_note[HEADER // 2 :])


def test_unequal_shapes_are_refused(tmp_path: Path) -> None:
    images = np.zeros((2, 8, 8))
    with pytest.raises(ValueError, match=r"\(2, 8, 8\), \(1, 8, 8\)"):
        draw_reconstructions(images, images[:1], images, tmp_path / "figure.png")

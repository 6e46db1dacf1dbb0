"""Gaze maps: the peak where the reader looked, each reader counting alike."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from companion_rows import stored_image, unhashed
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.errors import UserError
from pipeline.settings.fixations import FixationRule
from pipeline.shards.companions.gaze import gaze_map
from pipeline.sources.gaze.fixations import ON_SCREEN, POSITION, RESOLUTION, SHOWN, TIMES

HEIGHT, WIDTH = 300, 200
RULES: tuple[FixationRule, FixationRule] = ("all", "on_image")


def write_fixation(folder: Path, reading: str, x: float, y: float, seconds: float = 1.0) -> dict[str, str]:
    """Write a reading of one fixation and return its entry in a manifest."""
    cells = [*(0.0, seconds), *(x, y), *(10.0, 10.0), *(0, 0, WIDTH, HEIGHT), *(0, 0, 2 * WIDTH, 2 * HEIGHT)]
    columns = [*TIMES, *POSITION, *RESOLUTION, *SHOWN, *ON_SCREEN]
    pl.DataFrame(dict(zip(columns, cells, strict=True))).write_csv(folder / f"{reading}.csv")
    return {"reading": reading, "path": f"{reading}.csv"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gaze")


@given(
    x=st.floats(20, WIDTH - 20),
    y=st.floats(20, HEIGHT - 20),
    stored=st.tuples(st.integers(24, 400), st.integers(24, 400)),
)
def test_the_peak_is_where_the_reader_looked(folder: Path, x: float, y: float, stored: tuple[int, int]) -> None:
    reading = write_fixation(folder, "any", x, y)
    gaze = gaze_map([reading], "all", stored_image((HEIGHT, WIDTH), stored), unhashed(folder))
    assert gaze.shape == stored
    assert gaze.max() == 255
    rows, columns = np.nonzero(gaze == 255)
    # A pixel of the file at most, since fixations are rounded to its pixels, and one of the map.
    assert abs((rows.mean() + 0.5) * HEIGHT / stored[0] - (y + 0.5)) <= max(1, HEIGHT / stored[0])
    assert abs((columns.mean() + 0.5) * WIDTH / stored[1] - (x + 0.5)) <= max(1, WIDTH / stored[1])


def test_a_reader_who_looked_longer_counts_no_more(folder: Path) -> None:
    readings = [write_fixation(folder, "short", 50, 50, 0.2), write_fixation(folder, "long", 150, 250, 20.0)]
    gaze = gaze_map(readings, "all", stored_image((HEIGHT, WIDTH), (60, 40)), unhashed(folder))
    assert gaze[10, 10] == pytest.approx(gaze[50, 30], abs=1)


def test_only_fixations_on_the_image_count_where_that_is_the_rule(folder: Path) -> None:
    one, far = write_fixation(folder, "one", 100, 100), write_fixation(folder, "far", 100, -15)
    both = pl.concat([pl.read_csv(folder / "one.csv"), pl.read_csv(folder / "far.csv")])
    both.write_csv(folder / "both.csv")
    stored = stored_image((HEIGHT, WIDTH), (60, 40))
    every, kept = (
        gaze_map([{"reading": "both", "path": "both.csv"}], rule, stored, unhashed(folder)) for rule in RULES
    )
    alone = gaze_map([one], "all", stored, unhashed(folder))
    np.testing.assert_array_equal(kept, alone)
    assert every[0].max() > alone[0].max()
    with pytest.raises(UserError, match=r"far\.csv"):
        gaze_map([one, far], "on_image", stored, unhashed(folder))


def test_a_reading_that_never_rests_on_the_image_is_named(folder: Path) -> None:
    readings = [write_fixation(folder, "inside", 100, 100), write_fixation(folder, "astray", -9000, 100)]
    with pytest.raises(UserError, match=r"astray\.csv: no fixation falls on the part of the image that was shown"):
        gaze_map(readings, "all", stored_image((HEIGHT, WIDTH), (60, 40)), unhashed(folder))


def test_a_table_that_is_gone_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.csv"):
        gaze_map([{"reading": "gone", "path": "gone.csv"}], "all", stored_image((9, 9), (9, 9)), unhashed(folder))

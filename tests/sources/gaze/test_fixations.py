"""Tables of fixations, and which of their rows count."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.records.errors import UserError
from pipeline.sources.gaze.fixations import Fixations, read_fixations
from pipeline.sources.gaze.selection import on_image

ENDS = ("xmin", "ymin", "xmax", "ymax")
ROW = {
    "timestamp_start_fixation": "0.25",
    "timestamp_end_fixation": "1.0",
    "x_position": "1200",
    "y_position": "700",
    "pupil_area_normalized": "0.913",
    "angular_resolution_x_pixels_per_degree": "133",
    "angular_resolution_y_pixels_per_degree": "131",
    "window_width": "1.0",
    "window_level": "0.5",
    **{f"{end}_shown_from_image": edge for end, edge in zip(ENDS, ("0", "0", "2544", "3056"), strict=True)},
    **{f"{end}_in_screen_coordinates": edge for end, edge in zip(ENDS, ("1300", "100", "2900", "2022"), strict=True)},
}


def write(path: Path, **cells: str) -> Path:
    row = ROW | cells
    path.write_text(",".join(row) + "\r\n" + ",".join(row.values()) + "\r\n", newline="")
    return path


def test_the_columns_become_arrays(tmp_path: Path) -> None:
    fixations = read_fixations(write(tmp_path / "fixations.csv"))
    np.testing.assert_array_equal(fixations.position, [[1200, 700]])
    np.testing.assert_array_equal(fixations.resolution, [[133, 131]])
    np.testing.assert_array_equal(fixations.shown, [[0, 0, 2544, 3056]])
    np.testing.assert_array_equal(fixations.on_screen, [[1300, 100, 2900, 2022]])
    np.testing.assert_array_equal(fixations.duration, [0.75])


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        ("x_position", "left", "'left' in column 'x_position' is not a number"),
        ("y_position", "", "in column 'y_position' is not a finite number"),
        ("y_position", "nan", "in column 'y_position' is not a finite number"),
        ("timestamp_end_fixation", "0.1", "'0.1' in column 'timestamp_end_fixation' is before the start"),
        ("angular_resolution_x_pixels_per_degree", "0", "is not positive"),
        ("xmax_shown_from_image", "0", "'0' in column 'xmax_shown_from_image' is not above 'xmin_shown_from_image'"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(tmp_path: Path, column: str, cell: str, sentence: str) -> None:
    with pytest.raises(UserError, match=rf"fixations\.csv, line 2: .*{sentence}"):
        read_fixations(write(tmp_path / "fixations.csv", **{column: cell}))


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fixations.csv").write_text(",".join(ROW) + "\r\n")
    with pytest.raises(UserError, match=r"fixations\.csv holds no fixation"):
        read_fixations(tmp_path / "fixations.csv")


def at_screen(x: float, y: float) -> bool:
    """Tell whether a fixation at a place of the screen counts; the image is at 700, 100, and a degree 100 pixels."""
    image = np.array([[x - 700.0, y - 100.0]])
    fixations = Fixations(
        times=np.array([[0.0, 1.0]]),
        position=image,
        resolution=np.array([[100.0, 100.0]]),
        shown=np.array([[0.0, 0.0, 1000.0, 1500.0]]),
        on_screen=np.array([[700.0, 100.0, 1700.0, 1600.0]]),
    )
    return bool(on_image(fixations)[0])


@pytest.mark.parametrize(
    ("x", "y", "kept"),
    [
        (1000, 800, True),  # on the image
        (700, 1600, True),  # on its border
        (1740, 800, True),  # 0.4 degrees beside it
        (1760, 800, False),  # 0.6 degrees beside it
        (1740, 1640, False),  # 0.57 degrees from its corner
        (690, 1000, False),  # 0.1 degrees beside it, but 40 pixels from the buttons
        (690, 800, True),  # 0.1 degrees beside it, far from the buttons
    ],
)
def test_a_fixation_counts_if_it_was_meant_for_the_image(x: float, y: float, kept: bool) -> None:
    assert at_screen(x, y) == kept


def test_a_zoomed_image_is_measured_in_degrees_of_the_zoom() -> None:
    zoomed = Fixations(
        times=np.array([[0.0, 1.0]]),
        position=np.array([[-40.0, 300.0]]),  # one screen pixel is half an image pixel
        resolution=np.array([[50.0, 50.0]]),
        shown=np.array([[0.0, 0.0, 500.0, 750.0]]),
        on_screen=np.array([[700.0, 100.0, 1700.0, 1600.0]]),
    )
    assert not on_image(zoomed)[0]

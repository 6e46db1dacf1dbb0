"""REFLACX's tables of fixations as arrays (spec CXR-MIM B3, E5)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.records.errors import UserError
from pipeline.sources.tables import parse_numbers, read_table, require_cells

Floats = npt.NDArray[np.float64]

TIMES = ("timestamp_start_fixation", "timestamp_end_fixation")
POSITION = ("x_position", "y_position")
RESOLUTION = ("angular_resolution_x_pixels_per_degree", "angular_resolution_y_pixels_per_degree")
SHOWN = tuple(f"{end}_shown_from_image" for end in ("xmin", "ymin", "xmax", "ymax"))
ON_SCREEN = tuple(f"{end}_in_screen_coordinates" for end in ("xmin", "ymin", "xmax", "ymax"))


@dataclass(frozen=True, slots=True, eq=False)
class Fixations:
    """Hold the fixations of one reading, in order of time; n of them, and at least one."""

    times: Floats
    """Start and end, seconds from the start of the dictation, [n, 2]."""
    position: Floats
    """Where the eye rested: x and y in pixels of the image, [n, 2]; it may lie outside."""
    resolution: Floats
    """Pixels of the image per degree of visual angle, along x and y, [n, 2]; zooming in lowers it."""
    shown: Floats
    """The part of the image on the screen: left, top, right, bottom in pixels of the image, [n, 4]."""
    on_screen: Floats
    """Where that part stood: left, top, right, bottom in pixels of the screen, [n, 4]."""

    @property
    def duration(self) -> Floats:
        """Return how long each fixation lasted, seconds, [n]."""
        seconds: Floats = self.times[:, 1] - self.times[:, 0]
        return seconds

    def select(self, kept: npt.NDArray[np.bool_]) -> "Fixations":
        """Return the fixations where `kept`, [n], is true."""
        return Fixations(
            self.times[kept], self.position[kept], self.resolution[kept], self.shown[kept], self.on_screen[kept]
        )


def read_fixations(path: Path) -> Fixations:
    """Read a `fixations.csv`.

    Raises `UserError` naming file, line and column where a column is absent, a cell is no number, a fixation
    ends before it starts, the resolution is not positive, or a rectangle is empty; or where there is no row.
    """
    table = read_table(path, [*TIMES, *POSITION, *RESOLUTION, *SHOWN, *ON_SCREEN])
    if table.is_empty():
        raise UserError(f"{path} holds no fixation; download it again")
    numbers = pl.DataFrame({column: _finite(table, column, path) for column in table.columns})
    _require_order(table, numbers, path)
    return Fixations(*(numbers.select(group).to_numpy() for group in (TIMES, POSITION, RESOLUTION, SHOWN, ON_SCREEN)))


def _finite(table: pl.DataFrame, column: str, path: Path) -> pl.Series:
    numbers = parse_numbers(table, column, path)
    require_cells(table, column, ~numbers.is_finite().fill_null(value=False), path, "is not a finite number")
    return numbers


def _require_order(table: pl.DataFrame, numbers: pl.DataFrame, path: Path) -> None:
    start, end = TIMES
    require_cells(table, end, numbers[end] < numbers[start], path, "is before the start of the fixation")
    for column in RESOLUTION:
        require_cells(table, column, numbers[column] <= 0, path, "is not positive")
    for rectangle in (SHOWN, ON_SCREEN):
        for low, high in zip(rectangle[:2], rectangle[2:], strict=True):
            require_cells(table, high, numbers[high] <= numbers[low], path, f"is not above '{low}'")

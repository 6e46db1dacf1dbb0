"""What REFLACX's readers drew: ellipses around anomalies, and a box around the chest (spec RayGen E5)."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from pipeline.settings.layouts.mimic_derived import ReflacxLayout
from pipeline.sources.gaze.labels import FINDING_OF, box_label
from pipeline.sources.tables import read_table, require_cells

ELLIPSES, CHEST = "anomaly_location_ellipses.csv", "chest_bounding_box.csv"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
SIDES = ("left", "top", "width", "height")
CHEST_LABEL = "chest"


def readings_tables(readings: Iterable[str], layout: ReflacxLayout) -> tuple[str, ...]:
    """Return the tables of drawings of some readings, relative to the corpus folder."""
    names = (ELLIPSES, CHEST) if layout.chest_boxes else (ELLIPSES,)
    return tuple(f"{layout.readings}/{reading}/{name}" for reading in readings for name in names)


def read_boxes(readings: pl.DataFrame, root: Path, layout: ReflacxLayout) -> pl.DataFrame:
    """Return `dicom_id` and `boxes` of the images where something was drawn.

    Args:
        readings: Columns `dicom_id`, `id` and `phase`.
        root: The corpus folder.
        layout: Where the tables are; ellipses of a certainty up to `absent_to` are left out.

    Raises:
        UserError: A table is absent or a cell of it is wrong; the sentence names file and line.
    """
    folder = root / layout.readings
    drawn = [_ellipses(of_phase, folder, layout.absent_to) for of_phase in readings.partition_by("phase")]
    if layout.chest_boxes:
        drawn.append(_chests(readings, folder))
    box = pl.struct("label", "reader", *SIDES)
    return pl.concat(drawn).group_by("dicom_id", maintain_order=True).agg(boxes=box)


def _ellipses(readings: pl.DataFrame, folder: Path, absent_to: int) -> pl.DataFrame:
    """Return one box per ellipse and label that it stands for, of readings of one phase."""
    phase = readings["phase"][0]
    labels = list(FINDING_OF[phase])
    raw = _stack(readings, folder, ELLIPSES, [*CORNERS, "certainty", *labels])
    for label in labels:
        _require(raw, label, raw[label].is_in(["True", "False"]), "is neither True nor False")
    certainty = _numbers(raw, "certainty")
    boxes = pl.concat([raw, _sides(raw)], how="horizontal").filter(certainty > absent_to)
    ticked = boxes.unpivot(
        labels, index=["dicom_id", "reader", *SIDES], variable_name="label", value_name="ticked"
    ).filter(pl.col("ticked") == "True")
    words = {label: box_label(phase, label) for label in labels}
    return ticked.select("dicom_id", "reader", pl.col("label").replace(words), *SIDES)


def _chests(readings: pl.DataFrame, folder: Path) -> pl.DataFrame:
    raw = _stack(readings, folder, CHEST, CORNERS)
    boxes = pl.concat([raw, _sides(raw)], how="horizontal")
    return boxes.select("dicom_id", "reader", pl.lit(CHEST_LABEL).alias("label"), *SIDES)


def _stack(readings: pl.DataFrame, folder: Path, name: str, columns: Sequence[str]) -> pl.DataFrame:
    """Read the table of each reading and stack them, since checking thousands one by one takes a minute."""
    tables = [
        read_table(folder / reading / name, columns).with_columns(
            dicom_id=pl.lit(dicom_id), reader=pl.lit(reading), table=pl.lit(str(folder / reading / name))
        )
        for dicom_id, reading in readings.select("dicom_id", "id").iter_rows()
    ]
    return pl.concat(tables)


def _sides(raw: pl.DataFrame) -> pl.DataFrame:
    corners = {corner: _numbers(raw, corner) for corner in CORNERS}
    for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
        _require(raw, high, corners[low] < corners[high], f"is not above '{low}'")
    return pl.DataFrame(corners).select(
        left="xmin", top="ymin", width=pl.col("xmax") - pl.col("xmin"), height=pl.col("ymax") - pl.col("ymin")
    )


def _numbers(raw: pl.DataFrame, column: str) -> pl.Series:
    numbers = raw[column].cast(pl.Float64, strict=False)
    _require(raw, column, numbers.is_finite(), "is not a number")
    return numbers


def _require(raw: pl.DataFrame, column: str, right: pl.Series, what: str) -> None:
    """Raise `UserError` naming file, line and cell of the first row that is not right."""
    wrong = ~right.fill_null(value=False)
    if wrong.any():
        table = raw["table"].filter(wrong)[0]
        of_table = raw["table"] == table
        require_cells(raw.filter(of_table), column, wrong.filter(of_table), Path(table), what)

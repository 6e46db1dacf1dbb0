"""First laboratory values around a time, from the event tables of MIMIC-III and MIMIC-IV (spec PaCX 1.3)."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl

from pipeline.records.errors import UserError
from pipeline.sources.tables import require_file

COLUMNS = ("subject_id", "itemid", "charttime", "valuenum")
"""What is read of an event table; MIMIC-III writes the names in capitals, MIMIC-IV in small letters."""

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


def first_values(table: Path, references: pl.DataFrame, items: Sequence[str], window: timedelta) -> pl.DataFrame:
    """Find the earliest value of each item around each admission.

    Args:
        table: `labevents.csv` or `LABEVENTS.csv`, optionally gzipped. It is streamed: MIMIC-IV's has 118 million rows.
        references: One row per admission: `subject_id` and `hadm_id` (text), `time` (datetime) of the middle of the
            window, such as the admission.
        items: Numbers of the wanted items.
        window: How far an event may lie from the time, before or after, both ends included.

    Returns:
        `hadm_id`, `item` and `value`, one row per measured item, by admission in the order of `references` and item.
        Events belong to an admission by subject and time, since many carry no `hadm_id`; those without subject or
        number are left out, and of several at one time the first of the table counts.

    Raises:
        UserError: The table is absent or no table, or it lacks a column.
    """
    admissions = references.select("hadm_id", "time", subject_id=pl.col("subject_id").cast(pl.String))
    events = _scan(table, admissions["subject_id"], items)
    near = events.join(admissions.with_row_index("admission"), on="subject_id").filter(
        (pl.col("charttime") - pl.col("time")).abs() <= window
    )
    first = near.sort("charttime", "event").group_by("admission", "hadm_id", "item", maintain_order=True).first()
    return first.sort("admission", "item").select("hadm_id", "item", "value")


def _scan(table: Path, subjects: pl.Series, items: Sequence[str]) -> pl.DataFrame:
    """Return the numeric events of the subjects and items: event (line order), subject_id, item, charttime, value."""
    require_file(table)
    wanted = pl.col("itemid").is_in(list(items)) & pl.col("subject_id").is_in(subjects.unique().to_list())
    try:
        events = pl.scan_csv(table, infer_schema=False, row_index_name="event", with_column_names=_small_letters)
        return (
            events.select("event", *COLUMNS)
            .filter(wanted & pl.col("valuenum").is_not_null() & pl.col("charttime").is_not_null())
            .select(
                "event",
                "subject_id",
                item=pl.col("itemid"),
                charttime=pl.col("charttime").str.to_datetime(TIME_FORMAT),
                value=pl.col("valuenum").cast(pl.Float64),
            )
            .collect(engine="streaming")
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{table} is not a table of laboratory events: {reason}; use the publisher's table") from error


def _small_letters(names: list[str]) -> list[str]:
    return [name.lower() for name in names]

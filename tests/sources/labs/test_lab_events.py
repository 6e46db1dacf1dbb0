"""First laboratory values around an admission, from MIMIC-III's real events and from written ones."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.records.errors import UserError
from pipeline.sources.labs.events import first_values
from pipeline.sources.labs.items import LAB_ITEMS

DAY = timedelta(hours=24)
NOON = datetime(2150, 1, 10, 12)
HEADER = "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,valuenum"


def admissions(*rows: tuple[str, str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"subject_id": pl.String, "hadm_id": pl.String, "time": pl.Datetime}, orient="row")


def write_events(folder: Path, *events: tuple[str, str, str, str]) -> Path:
    """Write (subject, item, time, number) in MIMIC-IV's columns."""
    lines = [f"{n},{s},,7,{item},,{time},,x,{number}" for n, (s, item, time, number) in enumerate(events)]
    (folder / "labevents.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    return folder / "labevents.csv"


def test_the_earliest_value_in_the_window_counts(tmp_path: Path) -> None:
    table = write_events(
        tmp_path,
        ("1", "50912", "2150-01-10 18:00:00", "3.0"),
        ("1", "50912", "2150-01-10 09:00:00", "2.0"),
        ("1", "50912", "2150-01-09 11:59:59", "1.0"),
        ("1", "50971", "2150-01-09 12:00:00", "4.0"),
        ("1", "50983", "2150-01-11 12:00:00", "5.0"),
        ("1", "51222", "2150-01-11 12:00:01", "6.0"),
    )
    found = first_values(table, admissions(("1", "900", NOON)), LAB_ITEMS, DAY)
    assert found.rows() == [("900", "50912", 2.0), ("900", "50971", 4.0), ("900", "50983", 5.0)]


def test_blanks_other_items_and_other_subjects_are_left_out(tmp_path: Path) -> None:
    table = write_events(
        tmp_path,
        ("1", "50912", "2150-01-10 12:00:00", ""),
        ("1", "50912", "", "9.0"),
        ("1", "12345", "2150-01-10 12:00:00", "9.0"),
        ("2", "50912", "2150-01-10 12:00:00", "9.0"),
        ("", "50912", "2150-01-10 12:00:00", "9.0"),
    )
    found = first_values(table, admissions(("1", "900", NOON)), LAB_ITEMS, DAY)
    assert found.is_empty()
    assert found.columns == ["hadm_id", "item", "value"]


def test_of_two_values_at_one_time_the_first_line_counts(tmp_path: Path) -> None:
    same = "2150-01-10 12:00:00"
    table = write_events(tmp_path, ("1", "50912", same, "7.0"), ("1", "50912", same, "8.0"))
    assert first_values(table, admissions(("1", "900", NOON)), LAB_ITEMS, DAY)["value"].to_list() == [7.0]


def test_overlapping_admissions_of_a_subject_each_get_their_own(tmp_path: Path) -> None:
    table = write_events(
        tmp_path, ("1", "50912", "2150-01-10 12:00:00", "1.0"), ("1", "50912", "2150-01-11 20:00:00", "2.0")
    )
    both = admissions(("1", "902", NOON + timedelta(hours=30)), ("1", "901", NOON))
    assert first_values(table, both, LAB_ITEMS, DAY).rows() == [("902", "50912", 2.0), ("901", "50912", 1.0)]


def test_a_table_without_a_needed_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "labs.csv").write_text("subject_id,itemid\n1,2\n")
    with pytest.raises(UserError, match=r"labs\.csv is not a table of laboratory events: .*charttime"):
        first_values(tmp_path / "labs.csv", admissions(("1", "900", NOON)), LAB_ITEMS, DAY)
    with pytest.raises(UserError, match=r"none\.csv does not exist"):
        first_values(tmp_path / "none.csv", admissions(("1", "900", NOON)), LAB_ITEMS, DAY)


@pytest.mark.parametrize("cells", [("2150-01-10", "1.0"), ("2150-01-10 12:00:00", "high")])
def test_a_time_or_a_number_that_is_none_is_refused(tmp_path: Path, cells: tuple[str, str]) -> None:
    table = write_events(tmp_path, ("1", "50912", *cells))
    with pytest.raises(UserError, match=r"labevents\.csv is not a table of laboratory events"):
        first_values(table, admissions(("1", "900", NOON)), LAB_ITEMS, DAY)


def test_real_events_of_mimic_iii_give_what_a_plain_search_finds(real_data: Path) -> None:
    root = real_data / "labs_mimic3_demo"
    stays = pl.read_csv(root / "ADMISSIONS.csv.gz", infer_schema=False).select(
        subject_id="SUBJECT_ID", hadm_id="HADM_ID", time=pl.col("ADMITTIME").str.to_datetime()
    )
    found = first_values(root / "LABEVENTS.csv.gz", stays, LAB_ITEMS, DAY)
    events = pl.read_csv(root / "LABEVENTS.csv.gz", infer_schema=False)
    events = events.filter(pl.col("VALUENUM").is_not_null(), pl.col("ITEMID").is_in(LAB_ITEMS))
    by_subject = events.partition_by("SUBJECT_ID", as_dict=True)
    expected = {}
    for subject, admission, time in stays.iter_rows():
        rows = (
            by_subject[(subject,)].select("ITEMID", "CHARTTIME", "VALUENUM").rows() if (subject,) in by_subject else []
        )
        timed = [(datetime.fromisoformat(chart), item, float(value)) for item, chart, value in rows]
        for chart, item, value in sorted(timed, key=lambda event: event[0], reverse=True):
            if abs(chart - time) <= DAY:
                expected[admission, item] = (chart, value)
    assert len(expected) > 2_000
    assert {(admission, item) for admission, item, _ in found.rows()} == set(expected)
    agreeing = [value == expected[admission, item][1] for admission, item, value in found.rows()]
    assert np.mean(agreeing) > 0.99  # several specimens at one time leave a choice


def test_the_real_values_lie_where_those_of_the_sick_do(real_data: Path) -> None:
    root = real_data / "labs_mimic3_demo"
    stays = pl.read_csv(root / "ADMISSIONS.csv.gz", infer_schema=False).select(
        subject_id="SUBJECT_ID", hadm_id="HADM_ID", time=pl.col("ADMITTIME").str.to_datetime()
    )
    medians = dict(
        first_values(root / "LABEVENTS.csv.gz", stays, LAB_ITEMS, DAY)
        .group_by("item")
        .agg(pl.col("value").median())
        .iter_rows()
    )
    assert 130 < medians["50983"] < 145
    assert 3.5 < medians["50971"] < 5
    assert 7.2 < medians["50820"] < 7.5
    assert 25 < medians["51221"] < 40

"""Rows of an adapter, completed by what the publisher does not say."""

import polars as pl

from pipeline.manifests.schema import FINDING_SCHEMA, ROW_SCHEMA
from pipeline.manifests.vocabulary import PRESENT, UNKNOWN
from pipeline.sources.adapter import complete_rows

ROWS = pl.DataFrame(
    {
        "key": ["a", "b"],
        "patient": ["made:1", "made:2"],
        "study": ["made:1", "made:2"],
        "view": ["PA", "AP"],
        "sex": ["F", None],
        "age": [50.0, None],
        "path": ["a.png", "b.png"],
        "official_split": [None, None],
        "finding_edema": [PRESENT, None],
        "finding_mass": pl.Series([None, None], dtype=pl.Null),
    }
)


def test_a_finding_that_a_row_says_nothing_of_is_unknown() -> None:
    rows = complete_rows(ROWS)
    assert rows["finding_edema"].to_list() == [PRESENT, UNKNOWN]
    unsaid = set(FINDING_SCHEMA) - {"finding_edema"}
    assert set(rows.select(unsaid).unpivot()["value"].cast(pl.String)) == {UNKNOWN}


def test_what_is_no_finding_stays_null_and_patients_count_as_known() -> None:
    rows = complete_rows(ROWS)
    assert rows.schema == ROW_SCHEMA
    assert rows["sex"].to_list() == ["F", None]
    assert rows["labs"].null_count() == 2
    assert rows["patient_known"].all()

"""The items of Symile-MIMIC, and laboratory values as lists and as a matrix."""

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.manifests.schema import COMPANION_SCHEMA
from pipeline.sources.labs.items import LAB_ITEMS, LAB_NAMES
from pipeline.sources.labs.matrix import lab_lists, lab_matrix


def test_there_are_fifty_items_sorted_as_text() -> None:
    assert len(LAB_ITEMS) == len(set(LAB_ITEMS)) == 50
    assert (LAB_ITEMS[0], LAB_ITEMS[1], LAB_ITEMS[-1]) == ("50802", "50804", "52172")
    assert tuple(LAB_NAMES) != LAB_ITEMS


def test_names_are_those_of_the_real_dictionary(real_data: Path) -> None:
    table = pl.read_csv(real_data / "labs_mimic3_demo" / "D_LABITEMS.csv.gz", infer_schema=False)
    known = dict(table.select("ITEMID", "LABEL").iter_rows())
    shared = LAB_NAMES.keys() & known.keys()
    assert len(shared) == 43
    assert {item: known[item] for item in shared} == {item: LAB_NAMES[item] for item in shared}


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.one_of(st.none(), st.floats(-1e6, 1e6))] * 3), min_size=1, max_size=8))
def test_lists_and_matrix_hold_the_same_values(rows: list[tuple[float | None, ...]]) -> None:
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.Float64), orient="row")
    labs = frame.select(lab_lists({"a": "1", "b": "2", "c": "3"}))["labs"]
    assert labs.dtype == COMPANION_SCHEMA["labs"]
    assert labs.null_count() == sum(row == (None, None, None) for row in rows)
    expected = [[np.nan if row[place] is None else row[place] for place in (2, 0)] for row in rows]
    np.testing.assert_array_equal(lab_matrix(labs, ["3", "1"]), np.array(expected, float))


def test_items_that_nobody_measured_are_empty_columns() -> None:
    nothing = pl.Series("labs", [None, []], dtype=COMPANION_SCHEMA["labs"])
    assert np.isnan(lab_matrix(nothing, LAB_ITEMS)).all()

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.sizes import readable_bytes

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


@pytest.mark.parametrize(
    ("count", "read"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1.0 kB"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (570_000_000_000, "570.0 GB"),
        (4_700_000_000_000, "4.7 TB"),
        (10**18, "1000000.0 TB"),
        (-1500, "-1.5 kB"),
    ],
)
def test_a_size_gets_the_unit_that_suits_it(count: float, read: str) -> None:
    assert readable_bytes(count) == read


@given(st.integers(0, 10**15))
def test_what_is_read_is_near_what_is_there(count: int) -> None:
    number, unit = readable_bytes(count).split()
    assert float(number) * UNITS[unit] == pytest.approx(count, abs=0.0501 * UNITS[unit])
    assert float(number) < 1000 or unit == "TB"

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.redaction import MASK, redact, redacted_traceback

DICOM_ID = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"


@given(before=st.text(), number=st.integers(10_000_000, 99_999_999).map(str), after=st.text())
def test_no_eight_digit_identifier_survives(before: str, number: str, after: str) -> None:
    assert not re.search(r"\d{8}", redact(before + number + after), re.ASCII)


@given(
    st.lists(
        st.sampled_from(["'", '"', "line ", "10000032", "s50414267", "patient ", "-", ".", " ", "/", "2180-05-06", "x"])
    ).map("".join)
)
def test_no_identifier_survives_among_quotes_paths_and_dates(text: str) -> None:
    assert "10000032" not in redact(text)
    assert "50414267" not in redact(text)


@given(st.uuids().map(str), st.text(alphabet="/ .'", max_size=3))
def test_no_image_identifier_survives(identifier: str, around: str) -> None:
    assert identifier[9:] not in redact(around + identifier + around)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"files/p10/p10000032/s50414267/{DICOM_ID}.jpg is gone", f"files/p10/p{MASK}/s{MASK}/{MASK}.jpg is gone"),
        ("CheXpert/patient00001/study1/view1_frontal.jpg", f"CheXpert/patient{MASK}/study1/{MASK}"),
        ("subject_id 123 at 2180-05-06 09:15:00", f"subject_id {MASK} at {MASK}"),
        ("image 1.2.840.113619.2.55.3 is broken", f"image {MASK} is broken"),
        ("images/CHNCXR_0001_0.png is missing", f"images/{MASK} is missing"),
        ("patient 'covidx:144' is torn", f"patient '{MASK}' is torn"),
        ("'Right lower lobe opacity.' is no finding", f"'{MASK}' is no finding"),
        ("taken on 06.05.2180 or 5/6/2180", f"taken on {MASK} or {MASK}"),
        ("entries.csv has no column 'Patient Age'", "entries.csv has no column 'Patient Age'"),
        ("'small left pleural effusion today' in column 'text'", f"'{MASK}' in column 'text'"),
    ],
)
def test_what_identifies_is_masked_and_the_rest_of_the_sentence_stays(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "mimic-cxr-2.0.0-metadata.csv.gz, line 377110: the cell in column 'ViewPosition' is no view",
        "shard train-000001.tar: 1000 samples",
        "377110 images of 65379 patients, macro auroc 0.813",
        "torch 2.11.0, u_ones, step 800",
    ],
)
def test_places_counts_and_numbers_of_a_run_stay(text: str) -> None:
    assert redact(text) == text


def test_a_traceback_says_where_and_why_in_what_kind_but_not_the_message() -> None:
    try:
        try:
            raise KeyError("report of Mrs. Doe")
        except KeyError as error:
            raise ValueError("small effusion") from error
    except ValueError as error:
        shown = redacted_traceback(error)
    assert "test_redaction.py" in shown
    assert shown.index("KeyError\n") < shown.index("ValueError\n")
    assert "report of Mrs. Doe" not in shown.replace('raise KeyError("report of Mrs. Doe")', "")

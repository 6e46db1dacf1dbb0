"""Reports cut into sections: the rules of MIMIC-CXR's own parser, without its known wrongs."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.reports.headers import SPELLINGS, section_name
from pipeline.sources.reports.sections import LAST_PARAGRAPH, last_texts, split_sections

HEADERS = st.sampled_from(
    ["FINDINGS", "IMPRESSION", "INDICATION", "COMPARISON", "CHEST, PA AND LATERAL", "NOTE", "findings", "NDICATION"]
)
BODIES = st.lists(
    st.sampled_from(["clear lungs.", "___", "\n", "\n \n", "\n ", " ", "NO: ", "2.5 cm", "(ADDENDUM): ", "\t"]),
    max_size=8,
).map("".join)
REPORTS = st.lists(st.tuples(st.sampled_from(["\n ", "\n \n ", "\n", " "]), HEADERS, BODIES), max_size=6).map(
    lambda parts: "FINAL REPORT" + "".join(f"{gap}{header}: {body}" for gap, header, body in parts)
)


def named(report: str) -> dict[str, str]:
    return {section.name: section.text for section in split_sections(report)}


def test_each_header_opens_a_section() -> None:
    report = (
        " FINAL REPORT\n EXAMINATION:  CHEST\n \n FINDINGS: \n \n Clear.\n Well inflated.\n \n IMPRESSION:  Normal.\n"
    )
    assert named(report) == {
        "preamble": " FINAL REPORT\n ",
        "examination": " CHEST\n ",
        "findings": "\n \n Clear.\n Well inflated.\n ",
        "impression": " Normal.\n",
    }


@given(REPORTS)
def test_every_section_is_a_piece_of_the_report_where_it_says(report: str) -> None:
    for section in split_sections(report):
        assert report[section.start : section.start + len(section.text)] == section.text


@given(REPORTS)
def test_sections_are_in_order_and_do_not_overlap(report: str) -> None:
    sections = split_sections(report)
    for earlier, later in pairwise(sections):
        assert earlier.start + len(earlier.text) <= later.start


@given(REPORTS)
def test_a_last_paragraph_stands_in_for_findings_and_impression_only(report: str) -> None:
    names = [section.name for section in split_sections(report)]
    assert not (LAST_PARAGRAPH in names and {"findings", "impression"} & set(names))
    assert names.count(LAST_PARAGRAPH) <= 1


@pytest.mark.parametrize(
    "line",
    [
        "IMPRESSION: at the start of a line without its blank",
        " Impression: not in capitals",
        " IMPRESSION 2: with a digit",
        " no IMPRESSION: inside a line",
        " IMPRESSION:without a blank",
    ],
)
def test_what_only_resembles_a_header_is_text(line: str) -> None:
    assert "impression" not in named(f"FINAL REPORT\n FINDINGS: clear\n{line}\n")


def test_a_header_on_the_line_after_one_that_ends_its_line_is_text() -> None:
    assert named("\n COMPARISON:\n IMPRESSION: a\n FINDINGS: b\n") == {
        "preamble": "\n ",
        "comparison": " IMPRESSION: a",
        "findings": "b\n",
    }


def test_an_empty_section_is_left_out() -> None:
    assert named("\n FINDINGS: \n IMPRESSION: none\n") == {"preamble": "\n ", "impression": "none\n"}


def test_the_last_of_several_sections_counts() -> None:
    report = "\n IMPRESSION: of the addendum\n \n FINDINGS: x\n IMPRESSION: of the report\n"
    assert last_texts(split_sections(report))["impression"] == "of the report\n"


def test_an_empty_section_does_not_hide_an_earlier_one() -> None:
    report = "\n FINDINGS: clear\n \n FINDINGS: \n \n COMPARISON: none\n"
    assert last_texts(split_sections(report))["findings"] == "clear\n "


def test_paragraphs_after_the_first_are_the_last_paragraph() -> None:
    report = "FINAL REPORT\n HISTORY: cough\n \n Clear lungs.\n \n Normal heart.\n"
    assert named(report)["history"] == "cough"
    assert named(report)[LAST_PARAGRAPH] == " Clear lungs.\n \n Normal heart.\n"


def test_a_report_without_headers_is_cut_at_its_first_blank_line() -> None:
    assert named("CHEST\n \n Clear.\n") == {"full report": "CHEST", LAST_PARAGRAPH: " Clear.\n"}
    assert named("one paragraph only") == {"full report": "one paragraph only"}


@pytest.mark.parametrize(("section", "spelling"), [(s, spelling) for s, all_ in SPELLINGS.items() for spelling in all_])
def test_known_spellings_open_their_section(section: str, spelling: str) -> None:
    assert section_name(spelling.upper()) == section


@pytest.mark.parametrize(
    ("header", "section"),
    [
        ("FINDINGS AND IMPRESSION", "impression"),
        ("FINDINGS/IMPRESSION", "impression"),
        ("CLINICAL HISTORY", "history"),
        ("COMPARISONS", "comparison"),
        ("ADDENDUM", "addendum"),
        ("CHEST, TWO VIEWS", "findings"),
        ("PORTABLE AP", "findings"),
        (" FINDINGS ", "findings"),
        ("NOTIFICATION", "notification"),
    ],
)
def test_words_inside_a_header_tell_its_section(header: str, section: str) -> None:
    assert section_name(header) == section


def test_an_indication_without_its_first_letter_is_no_impression() -> None:
    assert section_name("NDICATION") == "indication"
    assert section_name("MPRESSION") == "impression"

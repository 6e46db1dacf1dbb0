"""What a report says of the image, and by which rule: never the whole report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.reports.conclusion import Conclusion, clean, conclude
from pipeline.sources.reports.special_studies import CONCLUSION_AT, CONCLUSION_IN_SECTION, WITHOUT_CONCLUSION

ORDINARY = 50_000_001
HISTORY = "FINAL REPORT\n HISTORY:  ___ year old with cough\n \n"

CASES = {
    "sections": (
        HISTORY + " FINDINGS: \n \n Clear\n lungs.\n \n IMPRESSION:  Normal chest.\n",
        ("Clear lungs.", "Normal chest."),
    ),
    "impression only": (HISTORY + " IMPRESSION:  Normal.\n", (None, "Normal.")),
    "findings only": (HISTORY + " FINDINGS:  Clear.\n", ("Clear.", None)),
    "last paragraph": (HISTORY + " Clear lungs.\n \n Normal heart.\n", ("Clear lungs. Normal heart.", None)),
    "comparison": ("FINAL REPORT\n COMPARISON:  ___. No change\n since then.\n", ("___. No change since then.", None)),
    "no section": ("FINAL REPORT\n HISTORY:  cough, rule out pneumonia\n", (None, None)),
}


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_finds_its_texts_and_says_so(rule: str) -> None:
    report, (findings, impression) = CASES[rule]
    found = conclude(report, ORDINARY)
    assert (found.findings, found.impression, found.rule) == (findings, impression, rule)


def test_there_are_54_special_studies() -> None:
    assert (len(CONCLUSION_IN_SECTION), len(CONCLUSION_AT), len(WITHOUT_CONCLUSION)) == (23, 23, 8)
    assert len({*CONCLUSION_IN_SECTION, *CONCLUSION_AT, *WITHOUT_CONCLUSION}) == 54


@pytest.mark.parametrize("study", [*CONCLUSION_IN_SECTION, *CONCLUSION_AT, *WITHOUT_CONCLUSION])
def test_every_special_study_is_present_as_such(study: int) -> None:
    section = CONCLUSION_IN_SECTION.get(study, "indication").upper()
    report = f"FINAL REPORT\n {section}:  Mild edema. " + "No change. " * 120 + "\n COMPARISON:  none\n"
    found = conclude(report, study)
    assert found.rule == "special study"
    assert (found.findings is None) == (study in WITHOUT_CONCLUSION)
    assert found.impression is None


@pytest.mark.parametrize("study", CONCLUSION_AT)
def test_a_range_of_characters_is_taken_as_it_stands(study: int) -> None:
    start, end = CONCLUSION_AT[study]
    report = "x" * start + "y" * (end - start) + "z" * 50
    assert conclude(report, study).findings == "y" * (end - start)


def test_a_special_place_that_the_report_lacks_leaves_the_ordinary_rules() -> None:
    for study in (*CONCLUSION_IN_SECTION, *CONCLUSION_AT):
        assert conclude(" \n IMPRESSION: Normal.\n", study) == Conclusion(None, "Normal.", "impression only")


def test_an_indication_without_its_first_letter_is_not_the_conclusion() -> None:
    found = conclude("FINAL REPORT\n NDICATION:  rule out pneumonia\n \n Clear lungs.\n", ORDINARY)
    assert found == Conclusion("Clear lungs.", None, "last paragraph")


def test_a_section_of_nothing_but_blanks_of_deidentification_says_nothing() -> None:
    assert conclude("\n FINDINGS: ___.\n \n IMPRESSION: Normal.\n", ORDINARY).rule == "impression only"


def test_a_comparison_counts_only_where_the_report_ends_in_it() -> None:
    assert conclude("FINAL REPORT\n COMPARISON:  None.\n \n", ORDINARY).rule == "no section"
    assert conclude("\n COMPARISON: None.\n FINDINGS: ___\n", ORDINARY) == Conclusion(None, None, "no section")


def test_cleaning_keeps_words_numbers_punctuation_and_blanks() -> None:
    assert clean("\n \n 1.  A 2.5-cm nodule,\n\t new since ___.  \n") == "1. A 2.5-cm nodule, new since ___."


@given(st.text(alphabet="ab1_.:\n \t"))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean(text)
    assert once == clean(once)
    assert once is None or once.split() == text.split()


@given(st.sampled_from(sorted(CASES)), st.text(alphabet="ab \n", max_size=30))
def test_the_whole_report_is_never_returned(rule: str, more: str) -> None:
    found = conclude(CASES[rule][0] + more, ORDINARY)
    assert "FINAL REPORT" not in f"{found.findings} {found.impression}"

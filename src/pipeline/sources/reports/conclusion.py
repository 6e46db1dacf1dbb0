"""What a report says of the image, and which rule found it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.sources.reports.headers import COMPARISON, FINDINGS, IMPRESSION
from pipeline.sources.reports.sections import LAST_PARAGRAPH, last_texts, split_sections
from pipeline.sources.reports.special_studies import CONCLUSION_AT, CONCLUSION_IN_SECTION, WITHOUT_CONCLUSION

Rule = Literal[
    "sections",
    "impression only",
    "findings only",
    "last paragraph",
    "comparison",
    "special study",
    "no section",
]
"""Headers of both; of one; the paragraphs after the first; the section of comparisons, under which some write their
findings; the authors' reading of a special study; nothing found, so that both texts are null."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Hold what a report says of the image; a text without letters or digits is None."""

    findings: str | None
    """Text under a header of findings, or what another rule than a header found."""
    impression: str | None
    """Text under a header of impression."""
    rule: Rule
    """How they were found."""


def conclude(report: str, study: int) -> Conclusion:
    """Return findings and impression of a report, white space collapsed; never the whole report.

    Args:
        report: The text as published, lines ending in a newline.
        study: Number of the study, which may be one of the special studies.
    """
    texts = last_texts(split_sections(report))
    special = _special(report, texts, study)
    if special is not None:
        return Conclusion(clean(special), None, "special study")
    if FINDINGS in texts or IMPRESSION in texts:
        return _with_headers(clean(texts.get(FINDINGS)), clean(texts.get(IMPRESSION)))
    return _without_headers(texts)


def clean(text: str | None) -> str | None:
    """Collapse white space and line ends; keep words, numbers, punctuation and the blanks `___`.

    What has no letter or digit says nothing and becomes None.
    """
    if text is None or not any(map(str.isalnum, text)):
        return None
    return " ".join(text.split())


def _with_headers(findings: str | None, impression: str | None) -> Conclusion:
    if findings and impression:
        return Conclusion(findings, impression, "sections")
    if impression:
        return Conclusion(None, impression, "impression only")
    return Conclusion(findings, None, "findings only" if findings else "no section")


def _without_headers(texts: Mapping[str, str]) -> Conclusion:
    if paragraphs := clean(texts.get(LAST_PARAGRAPH)):
        return Conclusion(paragraphs, None, "last paragraph")
    if LAST_PARAGRAPH not in texts and (comparison := clean(texts.get(COMPARISON))):
        return Conclusion(comparison, None, "comparison")
    return Conclusion(None, None, "no section")


def _special(report: str, texts: Mapping[str, str], study: int) -> str | None:
    """Return the text of a special study; None for all others, and where the place is not in this report."""
    if study in WITHOUT_CONCLUSION:
        return ""
    if study in CONCLUSION_AT:
        start, end = CONCLUSION_AT[study]
        return report[start:end] if len(report) > start else None
    return texts.get(CONCLUSION_IN_SECTION[study]) if study in CONCLUSION_IN_SECTION else None

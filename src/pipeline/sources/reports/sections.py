"""Cut a radiologist's report into its sections (spec RayGen E2, performance 3)."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.sources.reports.headers import FINDINGS, IMPRESSION, section_name

PREAMBLE, FULL_REPORT, LAST_PARAGRAPH = "preamble", "full report", "last paragraph"
"""What stands before the first header; a report without any; what follows its first paragraph."""

# The rest of a header's line is passed over: what looks like a header there is text.
_HEADER = re.compile(r"\n ([A-Z ()/,-]+):\s[^\n]*")
_BLANK_LINE = "\n \n"


class Section(NamedTuple):
    """Hold one section of a report."""

    name: str
    """Normalised name, see `headers.section_name`."""
    text: str
    """Everything after the header up to the next, white space and all."""
    start: int
    """Place of the text's first character in the report."""


def split_sections(report: str) -> list[Section]:
    """Return the sections of a report in its order.

    A header begins its line with a blank, is of capitals, blanks and `()/,-`, and ends in a colon and a blank;
    after one that fills its line the next line is text, whatever it looks like. Empty findings and impressions
    are left out. Where neither remains, the last section ends at its first blank line, and what follows
    becomes the last paragraph.
    """
    sections = [section for section in _headed_sections(report) if section.text.strip() or not _concludes(section)]
    if any(_concludes(section) for section in sections):
        return sections
    return [*sections[:-1], *_cut_at_blank_line(sections[-1])]


def last_texts(sections: Iterable[Section]) -> dict[str, str]:
    """Return the text of each section by its name; of several with one name the last counts."""
    return {section.name: section.text for section in sections}


def _headed_sections(report: str) -> list[Section]:
    headers = list(_HEADER.finditer(report))
    if not headers:
        return [Section(FULL_REPORT, report, 0)]
    ends = [header.start() for header in headers[1:]] + [len(report)]
    sections = [Section(PREAMBLE, report[: headers[0].start(1)], 0)]
    for header, end in zip(headers, ends, strict=True):
        start = header.end(1) + len(": ")
        sections.append(Section(section_name(header[1]), report[start:end], start))
    return sections


def _concludes(section: Section) -> bool:
    return section.name in (FINDINGS, IMPRESSION)


def _cut_at_blank_line(section: Section) -> list[Section]:
    head, separator, tail = section.text.partition(_BLANK_LINE)
    if not separator:
        return [section]
    start = section.start + len(head) + len(separator)
    return [Section(section.name, head, section.start), Section(LAST_PARAGRAPH, tail, start)]

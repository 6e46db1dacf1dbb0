"""Which words at the start of a line open which section of a report.

The spellings are those found in MIMIC-CXR by its authors (MIT-LCP/mimic-code, `mimic-iv-cxr/txt`; spec
RayGen E2, performance 3), but for `ndication`, which opens an indication and not an impression.
"""

import re
from functools import lru_cache

FINDINGS, IMPRESSION, COMPARISON, ADDENDUM = "findings", "impression", "comparison", "addendum"
INDICATION, HISTORY, EXAMINATION, RECOMMENDATIONS = "indication", "history", "examination", "recommendations"
WET_READ = "wet read"

SPELLINGS: dict[str, tuple[str, ...]] = {
    IMPRESSION: (
        "conclusion",
        "impresson",
        "imprression",
        "imoression",
        "impressoin",
        "imprssion",
        "impresion",
        "imperssion",
        "mpression",
        "impession",
    ),
    FINDINGS: ("finding", "findins", "findindgs", "findgings", "findngs", "findnings", "finidngs"),
    COMPARISON: ("reference exam", "comparision", "comparisions", "comparsion", "comparrison"),
    INDICATION: ("reason for examination", "reason for exam", "clinical indication", "idication", "ndication"),
    HISTORY: ("clinical information", "pfi"),
    EXAMINATION: ("exam", "type of examination"),
    RECOMMENDATIONS: ("recommendation(s)", "recommendation"),
    WET_READ: ("wetread",),
}
"""Section to the names, in lower case, that stand for it as a whole."""

TELLING_WORDS = (IMPRESSION, FINDINGS, HISTORY, COMPARISON, ADDENDUM)
"""A name that holds one of these words opens that section; the first of them decides."""

VIEW_WORDS = (
    "chest",
    "portable",
    "pa and lat",
    "lateral and pa",
    "ap and lateral",
    "lateral and ap",
    "frontal and",
    "frontal view",
    "frontal upright",
    "frontal semi-upright",
    "one view",
    "two views",
    "pa view",
    "ap view",
    "lateral view",
    "bone window",
    "ribs",
)
"""A name that holds one of these is the title of the examination, under which the findings stand."""

_SECTION_OF = {spelling: section for section, spellings in SPELLINGS.items() for spelling in spellings}
_SECTION_OF |= {"history": HISTORY, "examination": EXAMINATION}
_VIEW = re.compile("|".join(map(re.escape, VIEW_WORDS)))


@lru_cache(maxsize=4096)
def section_name(header: str) -> str:
    """Return the section that a header opens; a header of no known kind is a section of its own name."""
    name = header.lower().strip()
    if name in _SECTION_OF:
        return _SECTION_OF[name]
    for word in TELLING_WORDS:
        if word in name:
            return word
    return FINDINGS if _VIEW.search(name) else name

"""Mask what could name a person in text that people read: logs and errors of confidential corpora."""

import re
import traceback
from collections.abc import Iterator

MASK = "[…]"
"""What stands for what was masked."""

_IDENTIFIERS = re.compile(
    r"""
      (?P<kept>\bline\ \d{1,7}\b)                                  # a place in a table names nobody
    | (?P<name>(?:patient|subject|study|stay|hadm)(?:_?id)?[ =:'"_-]*)\d{2,}
    | \b[0-9a-f]{8}(?:-[0-9a-f]{4,12}){2,4}\b                      # image ids of MIMIC-CXR, UUIDs
    | \b\d+(?:\.\d+){4,}\b                                        # unique identifiers of DICOM
    | [^\s/'"]+\.(?:jpe?g|png|dcm|dicom|hea|dat|mat)\b           # image and signal files, often named after people
    | \b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b                           # dates in other forms
    | \b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}[.\d]*)?)?    # dates and times
    | \b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b           # hexadecimal names of image files
    | \d{7,} | (?<=[a-z_/])\d{5,} | \d{5,}(?=[a-z_/])             # long numbers, shorter ones inside of names
    | (?P<column>\bcolumn\ '[^'\n]*')                              # the name of a column
    | (?<!\w)(?P<quote>['"`])(?P<cell>[^\n]*?)(?P=quote)(?!\w)    # what a cell of a table says
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """Mask identifiers of patients, studies and images, dates, and quoted sentences.

    Masked are numbers of seven and more digits, of five and more inside of names (`patient00001`) or
    two and more after a word such as `subject_id`, hexadecimal names, identifiers of DICOM, names of
    image and signal files, and quotations that are more than one word without digits. Names of columns,
    counts and `line 123456` are kept, so that who may look at the table finds the cell.
    """
    return _IDENTIFIERS.sub(_masked, text)


def redacted_traceback(error: BaseException) -> str:
    """Return where an error and those that caused it were raised, without their messages.

    A message of another package may hold anything, such as the cell that could not be parsed.
    """
    return "".join(_places(error)) + "(messages are withheld, since the corpus is confidential)\n"


def _masked(found: re.Match[str]) -> str:
    if found["kept"] or found["column"]:
        return found[0]
    if found["quote"]:
        return found["quote"] + (redact(found["cell"]) if _is_plain_word(found["cell"]) else MASK) + found["quote"]
    return (found["name"] or "") + MASK


def _is_plain_word(cell: str) -> bool:
    """Tell whether a quotation is one word without digits, such as the name of a setting or a finding."""
    return bool(cell) and not re.search(r"[\s\d:]", cell)


def _places(error: BaseException) -> Iterator[str]:
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _places(cause)
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__name__}\n"

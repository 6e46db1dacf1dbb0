"""Names of the members of a sample, as they follow its key."""

import re

DESCRIPTION = "json"
"""Who is seen and what is known: a JSON object, in every sample."""
GAZE = "gaze.png"
"""Where readers looked."""
SECTIONS = ("findings", "impression")
"""Sections of a report."""

_STRUCTURE = re.compile(r"[a-z0-9_-]+")


def text_name(section: str) -> str:
    """Return the name of a section of the report."""
    return f"{section}.txt"


def mask_name(structure: str) -> str:
    """Return the name of a structure's mask. Raises `ValueError` where the structure's own name does not fit in."""
    # Readers of tars cut names at dots and slashes, and webdataset's lowers them.
    if not _STRUCTURE.fullmatch(structure):
        raise ValueError(f"the name of the structure '{structure}' may hold only small letters, digits, '_' and '-'")
    return f"mask.{structure}.png"

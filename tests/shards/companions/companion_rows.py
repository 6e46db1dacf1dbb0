"""A manifest row to fill in, and an image of a given size."""

from typing import Any

import numpy as np

from pipeline.manifests.schema import COMPANION_SCHEMA, FINDING_SCHEMA
from pipeline.manifests.vocabulary import UNKNOWN
from pipeline.shards.images import Stored

KNOWN: dict[str, Any] = {
    "corpus": "made",
    "key": "a1",
    "patient": "made:1",
    "patient_known": True,
    "study": "made:1/2",
    "view": "PA",
    "sex": "F",
    "age": 61.0,
    "path": "a1.png",
    "split": "train",
    "file_state": "present",
    "sha256": None,
}


def manifest_row(**cells: Any) -> dict[str, Any]:
    """Return a row that knows nothing but its identity and the cells given."""
    return KNOWN | dict.fromkeys(COMPANION_SCHEMA) | dict.fromkeys(FINDING_SCHEMA, UNKNOWN) | cells


def whole_mask(structure: str, path: str) -> dict[str, Any]:
    """Return a mask that covers its image."""
    return {"structure": structure, "path": path, "left": None, "top": None}


def stored_image(file: tuple[int, int], stored: tuple[int, int]) -> Stored:
    """Return a black image, given height and width of its file and of what is stored."""
    return Stored(np.zeros(stored, np.uint8), *file)

"""A manifest row to fill in, and an image of a given size."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.manifests.schema import COMPANION_SCHEMA, FINDING_SCHEMA
from pipeline.manifests.vocabulary import UNKNOWN
from pipeline.shards.images import Stored
from pipeline.shards.originals import Originals

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


def png_of_a_billion_pixels() -> bytes:
    """Return a PNG that says to be larger than OpenCV decodes, which it raises an error of its own for."""
    header = struct.pack(">IIBBBBB", 2**16, 2**15, 8, 0, 0, 0, 0)
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(bytes(9)), b"IEND"]
    framed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def unhashed(folder: Path) -> Originals:
    """Return files beside images as an inventory without checksums has them."""
    return Originals(folder, {})

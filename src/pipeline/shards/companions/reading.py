"""Companions read back from their bytes; nothing here needs more than NumPy and OpenCV."""

import json
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class StoredBox:
    """Hold one box, in pixels of the stored image."""

    label: str
    """Finding of the vocabulary, or the publisher's phrase."""
    reader: str | None
    """Who drew it; None where the publisher does not say."""
    left: float
    top: float
    width: float
    height: float


def read_mask(png: bytes) -> NDArray[np.uint8]:
    """Decode a mask (0 or 255) or a gaze map (0 to 255), [h, w]. Raises `ValueError` where it is damaged."""
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if png else None
    if decoded is None or decoded.ndim != 2 or decoded.dtype != np.uint8:
        raise ValueError("the PNG is damaged or is not of 8-bit gray values")
    return np.asarray(decoded, np.uint8)


def read_boxes(description: bytes) -> list[StoredBox]:
    """Return the boxes of a sample's description, none where it has no list of them.

    Raises `ValueError` where the description is damaged.
    """
    try:
        return [StoredBox(**box) for box in json.loads(description).get("boxes", [])]
    except (AttributeError, TypeError) as error:
        raise ValueError(f"the description holds something else than boxes: {error}") from error


def read_text(text: bytes) -> str:
    """Return a section of a report. Raises `ValueError` where it is damaged."""
    return text.decode()

"""From the publisher's mask files to one mask per structure, of the stored image's size."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.records.errors import UserError
from pipeline.shards.images import Stored
from pipeline.shards.jpeg import decode_jpeg, is_jpeg
from pipeline.shards.originals import Originals
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN

Mask = NDArray[np.uint8]
"""Mask [h, w], 255 inside and 0 outside."""

_MIDDLE = 127  # of the 8-bit range
_INSIDE = np.uint8(255)
_COLORS = 3


def structure_masks(masks: Iterable[dict[str, Any]], stored: Stored, own: Originals) -> dict[str, Mask]:
    """Return the mask of each structure, the union of its files, at the size of the stored image.

    Args:
        masks: Rows of the manifest's column `masks`. One with `left` and `top` lies there in the image, in pixels of
            its file; one without covers the whole image, whatever its own size.
        stored: The image they belong to.
        own: Their files.

    Raises:
        UserError: A file is gone, has changed, is no whole image, or sticks out of the image; the sentence names it.
    """
    union: dict[str, Mask] = {}
    for mask in masks:
        path = own.find(mask["path"])
        drawn = read_drawn(path)
        if mask["left"] is not None:
            drawn = _place(drawn, mask["left"], mask["top"], stored, path)
        resized = _resize(drawn, stored)
        structure = mask["structure"]
        union[structure] = resized | union[structure] if structure in union else resized
    return union


def read_drawn(path: Path) -> Mask:
    """Read a mask file of any depth and colour as 255 where something is drawn and 0 elsewhere, [h, w].

    A file draws one structure, as 1, 255 or in one colour. So what is above half of its brightest value is inside,
    which sorts borders that a resampling left gray; alpha says nothing, since some publishers' masks are opaque
    everywhere. In a JPEG the ripples beside a border, or a black that decodes to 1, could be the brightest: there it
    is what is above half of the range. Raises `UserError` where the file is gone or no whole image.
    """
    try:
        values, half = _decode(path.read_bytes())
    except (ValueError, EOFError, OSError, cv2.error) as error:
        reason = str(error).strip()
        raise UserError(f"the mask {path} cannot be read ({reason}); restore it and {TAKE_INVENTORY_AGAIN}") from error
    return (values > half) * _INSIDE


def _decode(content: bytes) -> tuple[NDArray[Any], float]:
    """Return gray values, [h, w], and the value above which they count as inside."""
    if not content:
        raise ValueError("it has no bytes")
    if is_jpeg(content):
        return decode_jpeg(content), _MIDDLE
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("no decoder accepts it")
    colors = [decoded] if decoded.ndim == 2 else [decoded[..., color] for color in range(_COLORS)]
    brightest = np.maximum.reduce(colors)
    return brightest, float(brightest.max()) / 2


def _place(drawn: Mask, left: int, top: int, stored: Stored, path: Path) -> Mask:
    """Lay a part on an empty mask of the image file's size."""
    height, width = drawn.shape
    whole = np.zeros((stored.height, stored.width), np.uint8)
    if left < 0 or top < 0 or left + width > stored.width or top + height > stored.height:
        raise UserError(
            f"the mask {path} of {width} x {height} pixels sticks out of its image of {stored.width} x {stored.height} "
            f"where it is placed, at left {left}, top {top}; correct its place in the publisher's table"
        )
    whole[top : top + height, left : left + width] = drawn
    return whole


def _resize(drawn: Mask, stored: Stored) -> Mask:
    height, width = stored.pixels.shape
    # Unlike INTER_NEAREST, which takes corners for centres and shifts a mask by up to half a pixel of its own.
    return np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)

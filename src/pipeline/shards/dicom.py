"""A radiograph in DICOM form to 8-bit gray, by the grayscale transformations of DICOM PS3.4 N.2."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.sources.dicom_headers import UNREADABLE

if TYPE_CHECKING:
    from pydicom import Dataset

Values = NDArray[np.float32]
"""Image [height, width] in the units of a step: stored values, after the modality, or on display (0 to 1)."""


class NoDecoderError(ValueError):
    """Say that a file is whole but compressed in a way that needs another package."""


def decode_dicom(content: bytes) -> NDArray[np.uint8]:
    """Decode a DICOM file to gray [height, width], 0 (black) to 255 (white), as a viewer would show it at first.

    Modality LUT or rescaling, then VOI LUT or window (the first of several; where there is none, the range of the
    pixels), then MONOCHROME1 inverted; padding is black. Raises `NoDecoderError` where the compression needs a
    package that is not installed, and `ValueError` where the file is damaged or no single gray image.
    """
    # pydicom takes half a second to import and most corpora hold no DICOM.
    from pydicom import dcmread
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        dataset = dcmread(BytesIO(content))
        _require_decoder(dataset)
        return render_gray(dataset, dataset.pixel_array)
    except NoDecoderError:
        raise
    except (InvalidDicomError, BytesLengthException, *UNREADABLE) as error:
        raise ValueError(str(error)) from error


def render_gray(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    """Show stored pixel values [height, width] as the header of their file says. Raises `ValueError` as above."""
    photometric = dataset.PhotometricInterpretation
    if photometric not in ("MONOCHROME1", "MONOCHROME2") or stored.ndim != 2:
        raise ValueError(f"{photometric} pixels of shape {stored.shape} are no single gray image")
    padding = _padding(dataset, stored)
    shown = _display(dataset, _modality(dataset, stored), padding)
    if photometric == "MONOCHROME1":
        shown = 1 - shown
    shown[padding] = 0
    return np.rint(shown * 255).astype(np.uint8)


def _require_decoder(dataset: Dataset) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise NoDecoderError(
            f"is compressed as '{syntax.name}', which no installed package decodes; "
            "install pylibjpeg with its plugins beside pydicom"
        )


def _padding(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the pixels outside the image (PS3.3 C.7.5.1.1.2)."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, np.bool_)
    other = dataset.get("PixelPaddingRangeLimit", value)
    return np.asarray((stored >= min(value, other)) & (stored <= max(value, other)))


def _modality(dataset: Dataset, stored: NDArray[Any]) -> Values:
    """Turn stored values into those of the modality (PS3.3 C.11.1)."""
    if dataset.get("ModalityLUTSequence"):
        table = dataset.ModalityLUTSequence[0]
        return _look_up(table, _entries(dataset, table), stored)
    slope, intercept = _first(dataset, "RescaleSlope"), _first(dataset, "RescaleIntercept")
    scaled = stored.astype(np.float32) * np.float32(1 if slope is None else slope)
    return np.asarray(scaled + np.float32(intercept or 0), np.float32)


def _display(dataset: Dataset, values: Values, padding: NDArray[np.bool_]) -> Values:
    """Map the values of interest to 0 to 1 (PS3.3 C.11.2)."""
    if dataset.get("VOILUTSequence"):
        table = dataset.VOILUTSequence[0]
        entries = _entries(dataset, table)
        # Headers often claim 16 bits for entries of 12, which would leave the image nearly black.
        return _look_up(table, entries, values) / np.float32(2 ** int(entries.max()).bit_length() - 1 or 1)
    center, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    if center is None or width is None or width <= 0:
        return _stretch(values, padding)
    return _window(values, center, width, dataset.get("VOILUTFunction") or "LINEAR")


def _window(values: Values, center: float, width: float, function: str) -> Values:
    """Apply a window (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -80, 80))), np.float32)
    if function == "LINEAR":
        # The width counts pixel values, ends included; a width of one is a step.
        center, width = center - 0.5, max(width - 1, 1e-6)
    elif function != "LINEAR_EXACT":
        raise ValueError(f"VOI LUT Function '{function}' is none of LINEAR, LINEAR_EXACT and SIGMOID")
    return np.asarray(np.clip((values - center) / width + 0.5, 0, 1), np.float32)


def _stretch(values: Values, padding: NDArray[np.bool_]) -> Values:
    inside = values[~padding]
    if not inside.size:
        raise ValueError("every pixel is padding")
    low, high = inside.min(), inside.max()
    return np.asarray((np.clip(values, low, high) - low) / max(high - low, np.float32(1e-6)), np.float32)


def _entries(dataset: Dataset, table: Dataset) -> Values:
    """Return the entries of a look-up table, in the units of its output."""
    count, entries = table.LUTDescriptor[0], table.LUTData
    if isinstance(entries, bytes):
        order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
        entries = np.frombuffer(entries, f"{order}u2" if len(entries) >= 2 * count else "u1")
    # A count of 65,536 does not fit its 16 bits and is written as 0.
    return np.asarray(entries, np.float32)[: count or 2**16]


def _look_up(table: Dataset, entries: Values, values: NDArray[Any]) -> Values:
    """Map values by a table; those beyond its ends take the entry there (PS3.3 C.11.1.1, C.11.2.1.1)."""
    places = np.rint(values).astype(np.int64) - table.LUTDescriptor[1]
    return np.asarray(entries[np.clip(places, 0, len(entries) - 1)], np.float32)


def _first(dataset: Dataset, keyword: str) -> float | None:
    """Return the first of one or several numbers, None where the header has none."""
    numbers = np.ravel(dataset.get(keyword) if dataset.get(keyword) not in (None, "") else [])
    return float(numbers[0]) if numbers.size else None

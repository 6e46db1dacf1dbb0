"""Phantom films as DICOM files, in the ways in which detectors store them."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom import DataElement, Dataset, FileMetaDataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    SecondaryCaptureImageStorage,
    generate_uid,
)

INVERTED_SHARE = 0.3
"""Share of the raw films stored as MONOCHROME1, where low values are bright."""

BITS = 12
PEAK = 2**BITS - 1
UID_ROOT = "1.2.826.0.1.3680043.8.498."
"""The root that pydicom lends for files without a registered one."""

JPEG_QUALITY = 95


def write_raw_film(
    path: Path, image: npt.NDArray[np.uint8], tags: Mapping[str, str], draw: np.random.Generator
) -> None:
    """Write a film, 8-bit gray, as 12 bits in 16: with a window, with a VOI LUT, or with neither.

    A viewer that follows the header shows the image again, to within rounding and, without window
    and LUT, stretched to its full range. The file's name is all that its identifiers depend on.
    """
    dataset = _describe(path.stem, DigitalXRayImageStorageForPresentation, image.shape, tags)
    inverted, style = draw.random() < INVERTED_SHARE, int(draw.integers(3))
    low, high = int(draw.integers(100, 600)), int(draw.integers(3000, PEAK))
    gray = (255 - image if inverted else image) / 255.0
    if style == 0:
        _set_window(dataset, low, high)
    if style == 1:
        _set_table(dataset)
    stored = PEAK * np.sqrt(gray) if style == 1 else low + gray * (high - low)
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.PixelData = np.rint(stored).astype("<u2").tobytes()
    _save(dataset, path, ExplicitVRLittleEndian)


def write_jpeg_film(path: Path, image: npt.NDArray[np.uint8], tags: Mapping[str, str]) -> None:
    """Write a film as a secondary capture with JPEG inside, as the RSNA challenge has it."""
    dataset = _describe(path.stem, SecondaryCaptureImageStorage, image.shape, tags)
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    dataset.PixelData = encapsulate([jpeg.tobytes()])
    _save(dataset, path, JPEGBaseline8Bit)


def _describe(name: str, storage: UID, shape: tuple[int, ...], tags: Mapping[str, str]) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = storage
    dataset.SOPInstanceUID = generate_uid(UID_ROOT, [name])
    for keyword, value in tags.items():
        # Unchecked, since some publishers write an age without its unit.
        dataset.add(DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE))
    dataset.Rows, dataset.Columns = shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    return dataset


def _set_window(dataset: Dataset, low: int, high: int) -> None:
    """Set the window that shows `low` black and `high` white, and a narrower second choice (PS3.3 C.11.2.1.2)."""
    center, width = (low + high + 1) / 2, high - low + 1
    dataset.WindowCenter, dataset.WindowWidth = [center, center], [width, width // 2]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0


def _set_table(dataset: Dataset) -> None:
    """Set a VOI LUT that squares, undoing the square root in the stored values (PS3.3 C.11.2.1.1)."""
    table = Dataset()
    table.LUTDescriptor = [PEAK + 1, 0, BITS]
    table.LUTData = np.rint(np.arange(PEAK + 1) ** 2 / PEAK).astype("<u2").tobytes()
    table["LUTData"].VR = "OW"
    dataset.VOILUTSequence = [table]


def _save(dataset: Dataset, path: Path, syntax: UID) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.ImplementationVersionName = "PHANTOM"
    dataset.save_as(path, enforce_file_format=True)

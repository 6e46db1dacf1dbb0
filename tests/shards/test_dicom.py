from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import gdcm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    generate_uid,
)

from pipeline.records.errors import UserError
from pipeline.records.randomness import keyed_generator
from pipeline.shards.dicom import decode_dicom
from pipeline.shards.gray import resize_short_side
from pipeline.shards.images import read_gray
from pipeline.sources.phantom.dicom import write_jpeg_film, write_raw_film

RAMP = np.linspace(0, 4095, 40 * 48).reshape(40, 48).astype(np.uint16)


def film(pixels: NDArray[Any], bits: int = 12, **tags: Any) -> Dataset:
    """Return a DICOM file with these stored values; tags override."""
    dataset = Dataset()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = generate_uid()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.SamplesPerPixel = 1
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = pixels.itemsize * 8, bits, bits - 1
    dataset.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    dataset.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def content(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def shown(dataset: Dataset) -> NDArray[np.int64]:
    return decode_dicom(content(dataset)).astype(int)


def look_up_table(entries: NDArray[np.uint16], first: int, bits: int) -> Dataset:
    table = Dataset()
    table.LUTDescriptor = [len(entries) % 2**16, first, bits]
    table.LUTData = entries.tobytes()
    table["LUTData"].VR = "OW"
    return table


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.5, -300), (2, 1000)])
def test_a_window_shows_what_pydicom_computes(function: str | None, signed: bool, slope: float, intercept: int) -> None:
    pixels = (RAMP.astype(np.int16) - 2048) if signed else RAMP
    dataset = film(pixels, RescaleSlope=slope, RescaleIntercept=intercept, WindowCenter=900, WindowWidth=1500)
    if function:
        dataset.VOILUTFunction = function
    ends = np.array([-2048, 2047] if signed else [0, 4095]) * slope + intercept
    windowed = apply_windowing(apply_modality_lut(pixels, dataset), dataset)
    expected = (windowed - ends[0]) / np.ptp(ends) * 255
    assert np.abs(shown(dataset) - expected).max() <= 0.51


def test_the_first_of_several_windows_counts() -> None:
    several = film(RAMP, WindowCenter=[1000, 3000], WindowWidth=[800, 200])
    np.testing.assert_array_equal(shown(several), shown(film(RAMP, WindowCenter=1000, WindowWidth=800)))


def test_a_window_of_width_one_is_a_step() -> None:
    gray = shown(film(RAMP, WindowCenter=2000, WindowWidth=1))
    np.testing.assert_array_equal(gray, np.where(RAMP >= 2000, 255, 0))


@pytest.mark.parametrize("first", [0, 700])
def test_a_voi_table_shows_what_pydicom_looks_up(first: int) -> None:
    entries = (4095 * (np.arange(3000) / 2999) ** 2).astype(np.uint16)
    dataset = film(RAMP, VOILUTSequence=[look_up_table(entries, first, 12)], WindowCenter=5, WindowWidth=2)
    expected = apply_voi(RAMP, dataset) / 4095 * 255
    assert np.abs(shown(dataset) - expected).max() <= 0.51


def test_a_table_that_claims_more_bits_than_its_entries_have_is_not_dark() -> None:
    entries = np.arange(4096, dtype=np.uint16)
    honest, boasting = (film(RAMP, VOILUTSequence=[look_up_table(entries, 0, bits)]) for bits in (12, 16))
    np.testing.assert_array_equal(shown(honest), shown(boasting))


def test_a_dark_film_stays_dark_behind_a_table() -> None:
    dataset = film(RAMP // 16, VOILUTSequence=[look_up_table(np.arange(4096, dtype=np.uint16), 0, 12)])
    assert shown(dataset).max() == 16


def test_a_modality_table_comes_before_the_window() -> None:
    entries = np.linspace(60000, 0, 4096).astype(np.uint16)
    dataset = film(RAMP, ModalityLUTSequence=[look_up_table(entries, 0, 16)], WindowCenter=30000, WindowWidth=20000)
    expected = apply_windowing(apply_modality_lut(RAMP, dataset), dataset) / 65535 * 255
    assert np.abs(shown(dataset) - expected).max() <= 0.51


def test_without_a_window_the_range_of_the_pixels_is_shown() -> None:
    gray = shown(film(RAMP // 2 + 500))
    assert (gray.min(), gray.max()) == (0, 255)
    assert np.abs(gray - RAMP / 4095 * 255).max() <= 1


@pytest.mark.parametrize("tags", [{}, {"WindowCenter": 1500, "WindowWidth": 900}])
def test_monochrome1_is_monochrome2_inverted(tags: dict[str, int]) -> None:
    inverted = shown(film(RAMP, PhotometricInterpretation="MONOCHROME1", **tags))
    assert np.abs(inverted - (255 - shown(film(RAMP, **tags)))).max() <= 1


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_has_no_part_in_the_range(photometric: str) -> None:
    pixels = (RAMP // 8 + 1000).astype(np.uint16)
    pixels[:5] = 4000
    inside = shown(film(pixels[5:], PhotometricInterpretation=photometric))
    padded = shown(film(pixels, PhotometricInterpretation=photometric, PixelPaddingValue=4000))
    assert not padded[:5].any()
    np.testing.assert_array_equal(padded[5:], inside)


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_values_whose_type_a_header_leaves_open_have_that_of_the_pixels(kind: type) -> None:
    pixels = (RAMP.astype(int) - (2048 if kind is np.int16 else 0)).astype(kind)
    padding, first = int(pixels[0, 0]), int(pixels[20, 0])
    table = look_up_table(np.linspace(0, 4095, 500).astype(np.uint16), first % 2**16, 12)
    dataset = film(pixels, PixelPaddingValue=padding, VOILUTSequence=[table])
    if kind is np.int16:
        table.LUTDescriptor = [500, first, 12]
        table["LUTDescriptor"].VR = "SS"
    explicit = decode_dicom(content(dataset))
    np.testing.assert_array_equal(decode_dicom(content(dataset, ImplicitVRLittleEndian)), explicit)
    assert not explicit[pixels <= first].any()
    assert (explicit[pixels >= first + 499] == 255).all()


def test_bits_beyond_those_stored_carry_nothing() -> None:
    np.testing.assert_array_equal(shown(film(RAMP | 0xF000)), shown(film(RAMP)))


def test_negative_values_in_twelve_of_sixteen_bits_keep_their_sign() -> None:
    signed = RAMP.astype(np.int16) - 2048
    packed = (signed & 0x0FFF).astype(np.int16)
    np.testing.assert_array_equal(shown(film(packed)), shown(film(signed)))


def test_jpeg_and_jpeg_2000_inside_read_as_their_pixels() -> None:
    smooth = np.asarray(cv2.resize(np.eye(8, dtype=np.uint8) * 255, (48, 40)))
    for syntax, kind, options in (
        (JPEGBaseline8Bit, "JPEG", {"quality": 100}),
        (JPEG2000Lossless, "JPEG2000", {"irreversible": False}),
    ):
        buffer = BytesIO()
        Image.fromarray(smooth).save(buffer, kind, **options)
        dataset = film(smooth, bits=8)
        dataset.PixelData = encapsulate([buffer.getvalue()])
        assert np.abs(decode_dicom(content(dataset, syntax)).astype(int) - smooth).max() <= 2, kind


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"])
def test_lossless_compression_changes_no_pixel(tmp_path: Path, syntax: str) -> None:
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    plain.write_bytes(content(film(RAMP)))
    compress(plain, packed, getattr(gdcm.TransferSyntax, syntax))
    assert dcmread(packed).file_meta.TransferSyntaxUID != ExplicitVRLittleEndian
    np.testing.assert_array_equal(read_gray(packed), read_gray(plain))


def compress(plain: Path, packed: Path, syntax: int) -> None:
    """Write a DICOM file again under another transfer syntax."""
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(packed))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def test_a_compression_without_decoder_is_named_with_what_to_install(tmp_path: Path) -> None:
    dataset = film(RAMP)
    dataset.PixelData = encapsulate([b"\xff\x4f high throughput \xff\xd9"])
    (tmp_path / "film.dcm").write_bytes(content(dataset, HTJ2KLossless))
    with pytest.raises(UserError, match=r"film\.dcm is compressed as 'High-Throughput JPEG 2000.*'.*; install"):
        read_gray(tmp_path / "film.dcm")


def test_a_colour_image_is_refused(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    dataset = film(pixels, bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    (tmp_path / "film.dcm").write_bytes(content(dataset))
    with pytest.raises(UserError, match=r"film\.dcm is not a whole image \(RGB pixels"):
        read_gray(tmp_path / "film.dcm")


WHOLE = content(film(RAMP, WindowCenter=1000, WindowWidth=800))


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE) - 2))
def test_a_file_cut_anywhere_is_refused_and_nothing_else_happens(kept: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_dicom(WHOLE[:kept])


def test_real_files_show_the_published_picture(real_data: Path) -> None:
    folder = real_data / "nih_cxr14"
    published = read_gray(folder / "images" / "00000001_000.jpg")
    gray = resize_short_side(read_gray(folder / "dicom" / "test2.dcm"), published.shape[0])
    assert np.corrcoef(gray.ravel(), published.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("number", range(12))
def test_a_phantom_film_shows_its_image_again(tmp_path: Path, number: int) -> None:
    image = np.asarray(cv2.resize(np.random.default_rng(number).integers(0, 256, (6, 5), dtype=np.uint8), (50, 60)))
    write_raw_film(tmp_path / "film.dicom", image, {"PatientSex": "F"}, keyed_generator(number, "film"))
    low, high = int(image.min()), int(image.max())
    styled = {"WindowCenter", "VOILUTSequence"} & set(dcmread(tmp_path / "film.dicom").dir())
    expected = image if styled else (image - float(low)) / (high - low) * 255
    assert np.abs(read_gray(tmp_path / "film.dicom") - expected).max() <= 2
    again = tmp_path / "again" / "film.dicom"
    again.parent.mkdir()
    write_raw_film(again, image, {"PatientSex": "F"}, keyed_generator(number, "film"))
    assert again.read_bytes() == (tmp_path / "film.dicom").read_bytes()


def test_a_phantom_film_with_jpeg_inside_shows_its_image_again(tmp_path: Path) -> None:
    image = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    write_jpeg_film(tmp_path / "film.dcm", image, {"PatientAge": "51"})
    assert np.abs(read_gray(tmp_path / "film.dcm").astype(int) - image).max() <= 3

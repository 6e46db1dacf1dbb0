from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.records.errors import UserError
from pipeline.shards.gray import decode_jpeg, encode_jpeg, resize_short_side
from pipeline.shards.images import file_part, read_gray

GRAY = np.linspace(0, 255, 48 * 64, dtype=np.uint8).reshape(48, 64)


@pytest.mark.parametrize("channels", ["gray", "gray16", "rgb", "rgba"])
def test_png_of_any_kind_reads_as_the_same_gray(tmp_path: Path, channels: str) -> None:
    pixels = {
        "gray": GRAY,
        "gray16": GRAY.astype(np.uint16) * 257,
        "rgb": np.stack([GRAY] * 3, axis=-1),
        "rgba": np.stack([GRAY, GRAY, GRAY, np.full_like(GRAY, 255)], axis=-1),
    }
    cv2.imwrite(str(tmp_path / "image.png"), pixels[channels])
    np.testing.assert_array_equal(read_gray(tmp_path / "image.png"), GRAY)


def test_a_jpeg_reads_as_pillow_reads_it(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "image.jpg", quality=90)
    expected = np.asarray(Image.open(tmp_path / "image.jpg"), dtype=int)
    assert np.abs(read_gray(tmp_path / "image.jpg").astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_truncated_jpeg_is_refused_by_name(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "image.jpg"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(UserError, match=r"image\.jpg is not a whole image"):
        read_gray(path)


@settings(max_examples=40)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 64))
def test_resizing_sets_the_short_side_and_keeps_the_aspect(height: int, width: int, side: int) -> None:
    resized = resize_short_side(np.zeros((height, width), np.uint8), side)
    assert min(resized.shape) == side
    assert max(resized.shape) == pytest.approx(side * max(height, width) / min(height, width), abs=0.51)


def test_shrinking_averages_areas() -> None:
    checkers = np.indices((64, 64)).sum(axis=0) % 2 * 200
    assert np.ptp(resize_short_side(checkers.astype(np.uint8), 16)) == 0


def test_encoding_is_repeatable_and_nearly_lossless() -> None:
    smooth = cv2.GaussianBlur(GRAY, (9, 9), 3)
    encoded = encode_jpeg(smooth, quality=95)
    assert encoded == encode_jpeg(smooth.copy(), quality=95)
    assert np.abs(decode_jpeg(encoded).astype(int) - smooth).max() <= 6


def normalised(gray: np.ndarray) -> np.ndarray:
    """Return gray values as three channels normalised by ImageNet's mean and deviation, as Symile-MIMIC stores them."""
    mean, deviation = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)[:, :, None, None]
    return (gray.astype(np.float32) / 255 - mean) / deviation


def test_the_row_of_a_normalised_array_reads_as_its_gray_image(tmp_path: Path) -> None:
    images = [GRAY, GRAY[::-1], GRAY.T.reshape(GRAY.shape)]
    np.save(tmp_path / "cxr_train.npy", np.stack([normalised(image) for image in images]))
    for row, image in enumerate(images):
        np.testing.assert_array_equal(read_gray(tmp_path / f"cxr_train.npy#{row}"), image)


@pytest.mark.parametrize("shape", [(2, 48, 64), (2, 3, 48, 64)])
def test_the_row_of_an_8_bit_array_reads_as_it_is(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "cxr.npy", np.broadcast_to(GRAY, shape))
    np.testing.assert_array_equal(read_gray(tmp_path / "cxr.npy#1"), GRAY)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((2, 3, 8, 8), np.float32), r"the array of shape \(2, 3, 8, 8\) has no image 2"),
        (np.zeros((3, 8, 8), np.int64), r"images of int64 and shape \(8, 8\) are neither 8-bit gray nor"),
        (np.array([None] * 3), r"Python objects in dtype"),
    ],
)
def test_an_array_without_such_an_image_is_refused_by_name(tmp_path: Path, array: np.ndarray, sentence: str) -> None:
    np.save(tmp_path / "cxr.npy", array)
    with pytest.raises(UserError, match=r"cxr\.npy#2 is not a whole image \(.*" + sentence):
        read_gray(tmp_path / "cxr.npy#2")


def test_an_array_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cxr.npy"
    np.save(path, np.zeros((4, 3, 8, 8), np.float32))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"cxr\.npy#0 is not a whole image"):
        read_gray(tmp_path / "cxr.npy#0")


@pytest.mark.parametrize(
    ("path", "file"), [("a/cxr.npy#12", "a/cxr.npy"), ("a/cxr.npy", "a/cxr.npy"), ("a#1/b.jpg", "a#1/b.jpg")]
)
def test_an_image_path_leads_to_the_file_that_holds_it(path: str, file: str) -> None:
    assert file_part(Path(path)) == Path(file)

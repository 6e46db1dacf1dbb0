from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.records.errors import UserError
from pipeline.shards.images import decode_gray, encode_gray, read_gray, resize_short_side

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
    encoded = encode_gray(smooth, quality=95)
    assert encoded == encode_gray(smooth.copy(), quality=95)
    assert np.abs(decode_gray(encoded).astype(int) - smooth).max() <= 6

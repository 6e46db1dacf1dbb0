import subprocess
import sys
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.shards.jpeg import DECODER, decode_by_opencv, decode_jpeg, encode_jpeg, jpeg_size, reduction_of

ORIENTATION = 0x0112
ADOBE_SEGMENT = 16  # bytes, the last of which names the colour transform
LUMA = np.array([0.299, 0.587, 0.114])


def smooth(height: int, width: int, channels: int = 1) -> NDArray[np.uint8]:
    """Return a picture without sharp edges, [height, width] or [height, width, channels]."""
    coarse = np.random.default_rng(0).integers(0, 256, (4, 6, channels), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def saved(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=97, **options)
    return buffer.getvalue()


def rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


def ycck() -> bytes:
    """Return the CMYK picture as Photoshop stores it: ink inverted, three channels as luma and chroma."""
    ink = smooth(64, 96, 4)
    luma_chroma = Image.fromarray(np.ascontiguousarray(ink[:, :, :3])).convert("YCbCr")
    planes = np.dstack([np.asarray(luma_chroma), 255 - ink[:, :, 3]])
    content = bytearray(saved(Image.fromarray(255 - planes, "CMYK")))
    content[content.index(b"\xff\xee") + ADOBE_SEGMENT - 1] = 2
    return bytes(content)


def without_adobe(content: bytes) -> bytes:
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + ADOBE_SEGMENT :]


COLOURED = Image.fromarray(smooth(64, 96, 3))
INKED = Image.fromarray(smooth(64, 96, 4), "CMYK")
OF_COLOURS = smooth(64, 96, 3) @ LUMA
OF_INK = (255.0 - smooth(64, 96, 4)[:, :, :3]) * (255.0 - smooth(64, 96, 4)[:, :, 3:]) / 255 @ LUMA

KINDS = {
    "gray": (saved(Image.fromarray(smooth(64, 96))), smooth(64, 96)),
    "progressive gray": (saved(Image.fromarray(smooth(64, 96)), progressive=True), smooth(64, 96)),
    "YCbCr 4:4:4": (saved(COLOURED, subsampling=0), OF_COLOURS),
    "YCbCr 4:2:0": (saved(COLOURED, subsampling=2), OF_COLOURS),
    "progressive YCbCr": (saved(COLOURED, progressive=True), OF_COLOURS),
    "RGB": (saved(COLOURED, keep_rgb=True), OF_COLOURS),
    "inverted CMYK": (saved(INKED), OF_INK),
    "inverted CMYK of no maker": (without_adobe(saved(INKED)), OF_INK),
    "inverted YCCK": (ycck(), OF_INK),
    "turned by EXIF": (saved(Image.fromarray(smooth(64, 96)), exif=rotated()), smooth(64, 96)),
}
of_every_kind = pytest.mark.parametrize(("content", "gray"), KINDS.values(), ids=KINDS.keys())
NOISY = np.random.default_rng(1).integers(0, 256, (200, 240), dtype=np.uint8)


@of_every_kind
def test_any_colours_become_their_gray(content: bytes, gray: NDArray[Any]) -> None:
    assert np.abs(decode_jpeg(content) - gray.astype(float)).max() <= 4
    assert np.abs(decode_jpeg(content) - gray.astype(float)).mean() <= 1.5


@of_every_kind
def test_opencv_decodes_the_same_within_two_gray_levels(content: bytes, gray: NDArray[Any]) -> None:
    assert decode_by_opencv(content).shape == gray.shape
    assert np.abs(decode_by_opencv(content).astype(int) - decode_jpeg(content)).max() <= 2


@of_every_kind
def test_any_colours_decode_at_a_part_of_their_size(content: bytes, gray: NDArray[Any]) -> None:
    half = cv2.resize(gray.astype(np.float32), (48, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(decode_jpeg(content, 32) - half).max() <= 4
    assert jpeg_size(content) == (64, 96)


@given(st.integers(8, 200), st.integers(8, 200), st.integers(1, 220))
def test_the_scale_is_the_smallest_that_is_large_enough(height: int, width: int, short_side: int) -> None:
    content = encode_jpeg(np.zeros((height, width), np.uint8), 50)
    decoded = decode_jpeg(content, short_side).shape
    scaled = [(-(-height * eighths // 8), -(-width * eighths // 8)) for eighths in range(1, 9)]
    assert decoded == next((size for size in scaled if min(size) >= short_side), (height, width))


@given(st.integers(8, 4000), st.integers(8, 4000), st.integers(1, 8))
def test_a_reduction_is_known_by_the_sizes(height: int, width: int, eighths: int) -> None:
    reduction = reduction_of((height, width), (-(-height * eighths // 8), -(-width * eighths // 8)))
    assert (reduction.rows, reduction.columns) == (height * eighths / 8, width * eighths / 8)


@pytest.mark.parametrize("side", [32, 64, 128])
def test_the_blur_of_a_reduction_is_that_of_averaging_its_pixels(side: int) -> None:
    content = encode_jpeg(smooth(256, 256), 100)
    averaged = cv2.resize(decode_jpeg(content), (side, side), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(decode_jpeg(content, side) - averaged).max() <= 1
    places = np.arange(256 // side) * side / 256
    assert reduction_of((256, 256), (side, side)).blur == pytest.approx(np.var(places))


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("short_side", [None, 50, 120])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.95, 0.999])
def test_a_file_cut_short_is_refused_at_any_scale(kept: float, short_side: int | None, options: dict[str, Any]) -> None:
    content = saved(Image.fromarray(NOISY), **options)
    cut = content[: int(kept * len(content))]
    with pytest.raises(ValueError, match=r"."):
        decode_jpeg(cut, short_side)
    with pytest.raises(ValueError, match=r"."):
        decode_by_opencv(cut)


def test_bytes_after_the_end_do_not_matter() -> None:
    content = encode_jpeg(NOISY, 90)
    np.testing.assert_array_equal(decode_jpeg(content + bytes(100)), decode_jpeg(content))
    for trailing in (bytes(100), b"\n"):
        np.testing.assert_array_equal(decode_by_opencv(content + trailing), decode_by_opencv(content))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
@pytest.mark.parametrize("zeros", [1, 40])
@pytest.mark.parametrize("short_side", [None, 50])
def test_zeros_before_the_end_marker_do_not_matter(options: dict[str, Any], zeros: int, short_side: int | None) -> None:
    content = saved(Image.fromarray(NOISY), **options)
    padded = content[:-2] + bytes(zeros) + content[-2:]
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(padded))), np.asarray(Image.open(BytesIO(content))))
    np.testing.assert_array_equal(decode_jpeg(padded, short_side), decode_jpeg(content, short_side))
    np.testing.assert_array_equal(decode_jpeg(padded + bytes(3), short_side), decode_jpeg(content, short_side))


def test_a_turned_bit_that_leaves_bytes_over_is_refused() -> None:
    content = encode_jpeg(NOISY, 90)
    sentences = []
    for place in range(1000, len(content) - 1000, 500):
        damaged = bytearray(content)
        damaged[place] ^= 1
        try:
            assert (decode_by_opencv(bytes(damaged)) != decode_by_opencv(content)).any()
            decode_jpeg(bytes(damaged))
        except ValueError as error:
            sentences.append(str(error))
    assert sum("extraneous bytes before marker 0xd9" in sentence for sentence in sentences) > 10


def test_a_picture_cut_short_with_zeros_and_an_end_marker_is_refused() -> None:
    content = encode_jpeg(NOISY, 90)
    with pytest.raises(ValueError, match=r"Corrupt JPEG data: premature end of data segment"):
        decode_jpeg(content[: len(content) // 2] + bytes(40) + content[-2:])


def test_encoding_is_repeatable_and_nearly_lossless() -> None:
    image = smooth(48, 64)
    encoded = encode_jpeg(image, quality=95)
    assert encoded == encode_jpeg(np.asfortranarray(image), quality=95)
    assert np.abs(decode_jpeg(encoded).astype(int) - image).max() <= 6


def test_a_lower_quality_takes_fewer_bytes() -> None:
    sizes = [len(encode_jpeg(NOISY, quality)) for quality in (95, 80, 30)]
    assert sizes == sorted(sizes, reverse=True)


def test_the_decoder_is_named_with_its_version() -> None:
    assert DECODER.split()[0] == "simplejpeg"
    assert DECODER.split()[1][0].isdigit()


WITHOUT_SIMPLEJPEG = """
import sys
sys.modules["simplejpeg"] = None
import numpy as np
from pipeline.records.errors import UserError
from pipeline.shards.jpeg import DECODER, decode_jpeg, encode_jpeg, jpeg_size
content = sys.stdin.buffer.read()
assert DECODER.startswith("opencv "), DECODER
assert decode_jpeg(content, 50).shape == jpeg_size(content)
assert not {"polars", "torch"} & set(sys.modules)
try:
    encode_jpeg(decode_jpeg(content), 90)
except UserError as error:
    print(error)
"""


def test_where_simplejpeg_is_missing_opencv_decodes_and_encoding_says_what_to_install() -> None:
    content = encode_jpeg(NOISY, 90)
    shown = subprocess.run([sys.executable, "-c", WITHOUT_SIMPLEJPEG], input=content, capture_output=True, check=True)
    assert b"install it where shards are written" in shown.stdout

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.gray import GrayImage, resize_short_side
from pipeline.shards.images import read_gray, read_stored
from pipeline.shards.jpeg import encode_jpeg

Decoding = Literal["exact", "fast"]
GRAY = np.linspace(0, 255, 48 * 64, dtype=np.uint8).reshape(48, 64)


OPAQUE = Image.fromarray(np.full_like(GRAY, 255))
PNGS = {
    "8-bit gray": Image.fromarray(GRAY),
    "16-bit gray": Image.fromarray(GRAY.astype(np.uint16) * 257),
    "gray and alpha": Image.merge("LA", [Image.fromarray(GRAY), OPAQUE]),
    "RGB": Image.fromarray(GRAY).convert("RGB"),
    "RGBA": Image.merge("RGBA", [Image.fromarray(GRAY)] * 3 + [OPAQUE]),
    "gray palette": Image.fromarray(GRAY).convert("P"),
}


@pytest.mark.parametrize("image", PNGS.values(), ids=PNGS.keys())
def test_png_of_any_kind_reads_as_the_same_gray(tmp_path: Path, image: Image.Image) -> None:
    image.save(tmp_path / "image.png")
    np.testing.assert_array_equal(read_gray(tmp_path / "image.png"), GRAY)
    np.testing.assert_array_equal(stored(tmp_path / "image.png", image_size=48), GRAY)


def test_16_bits_are_rounded_to_8(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 2**16, (40, 50), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "image.png")
    assert np.abs(read_gray(tmp_path / "image.png") - deep / 65535 * 255).max() <= 0.5


@pytest.mark.parametrize("kind", ["png", "bmp", "tiff"])
def test_colours_of_a_palette_become_their_gray(tmp_path: Path, kind: str) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(GRAY).convert("P")
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / f"image.{kind}")
    expected = (colours @ np.array([0.299, 0.587, 0.114]))[GRAY]
    assert np.abs(read_gray(tmp_path / f"image.{kind}") - expected).max() <= 1


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


def stored(path: Path, image_size: int, decoding: Decoding = "exact") -> GrayImage:
    """Return the stored pixels of a file."""
    return read_stored(path.read_bytes(), path, ShardSettings(image_size=image_size, decoding=decoding)).pixels


def whole_by_pillow(path: Path, size: tuple[int, int]) -> GrayImage:
    """Do what everybody writes: decode whole, convert to gray, resize by Lanczos's filter to (height, width)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize(size[::-1], Image.Resampling.LANCZOS))


def peak_signal_to_noise(image: GrayImage, reference: GrayImage) -> float:
    """Return the ratio in dB."""
    return float(10 * np.log10(255**2 / np.mean((image.astype(float) - reference) ** 2)))


@pytest.fixture
def full_size(real_data: Path, tmp_path: Path) -> list[Path]:
    """Return real radiographs enlarged to more than twice 512 px, of an odd size, with film grain."""
    folders = ("hannover_cxr_labs", "kermany_pediatric_cxr", "nih_cxr14")
    paths = []
    for number, folder in enumerate(folders):
        small = read_gray(sorted((real_data / folder / "images").iterdir())[0])
        large = cv2.resize(small, (1061, 1275), interpolation=cv2.INTER_CUBIC)
        grain = np.random.default_rng(number).normal(0, 1.6, large.shape)
        paths.append(tmp_path / f"{folder}.jpg")
        paths[-1].write_bytes(encode_jpeg(np.clip(np.rint(large + grain), 0, 255).astype(np.uint8), 95))
    return paths


@pytest.mark.parametrize(("decoding", "least"), [("exact", 55), ("fast", 40)])
@pytest.mark.parametrize("image_size", [130, 256, 312, 512])
def test_stored_pixels_are_those_of_a_whole_decode(
    full_size: list[Path], image_size: int, decoding: Decoding, least: float
) -> None:
    for path in full_size:
        pixels = stored(path, image_size, decoding)
        assert peak_signal_to_noise(pixels, whole_by_pillow(path, pixels.shape)) >= least


@pytest.mark.parametrize("decoding", ["exact", "fast"])
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_what_is_stored_knows_the_size_of_the_file(tmp_path: Path, ending: str, decoding: Decoding) -> None:
    path = tmp_path / f"image.{ending}"
    Image.fromarray(np.zeros((331, 270), np.uint8)).save(path)
    read = read_stored(path.read_bytes(), path, ShardSettings(image_size=32, decoding=decoding))
    assert (read.height, read.width) == (331, 270)
    assert read.pixels.shape == (39, 32)


@pytest.mark.parametrize("decoding", ["exact", "fast"])
def test_a_small_image_is_enlarged(tmp_path: Path, decoding: Decoding) -> None:
    path = tmp_path / "image.jpg"
    path.write_bytes(encode_jpeg(GRAY, 95))
    pixels = stored(path, 96, decoding)
    np.testing.assert_array_equal(pixels, resize_short_side(read_gray(path), 96))
    assert pixels.shape == (96, 128)


@pytest.mark.parametrize("decoding", ["exact", "fast"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95, 0.999])
def test_a_truncated_jpeg_is_not_stored(tmp_path: Path, kept: float, decoding: Decoding) -> None:
    content = encode_jpeg(np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8), 95)
    with pytest.raises(UserError, match=r"image\.jpg is not a whole image"):
        read_stored(
            content[: int(kept * len(content))],
            tmp_path / "image.jpg",
            ShardSettings(image_size=32, decoding=decoding),
        )


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_not_stored(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=r"image\.jpg is not a whole image"):
        read_stored(content, tmp_path / "image.jpg", ShardSettings(image_size=32))


def test_the_row_of_an_array_is_stored_without_its_files_content(tmp_path: Path) -> None:
    np.save(tmp_path / "cxr.npy", np.stack([GRAY, GRAY[::-1]]))
    read = read_stored(None, tmp_path / "cxr.npy#1", ShardSettings(image_size=24))
    np.testing.assert_array_equal(read.pixels, resize_short_side(GRAY[::-1], 24))
    assert (read.height, read.width) == GRAY.shape


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
        (np.zeros((3, 4, 8, 8), np.uint8), r"images of uint8 and shape \(4, 8, 8\) are neither 8-bit gray nor"),
        (np.full((3, 3, 8, 8), np.nan, np.float32), r"image 2 has a pixel that is no finite number"),
        (np.full((3, 3, 8, 8), np.inf, np.float64), r"image 2 has a pixel that is no finite number"),
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


@pytest.mark.parametrize("suffix", ["png", "npy#0"])
def test_a_file_without_bytes_is_refused_with_a_way_out(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"image.{suffix.split('#')[0]}").touch()
    with pytest.raises(UserError, match=r"image\.\S+ is not a whole image \(.+\); .*take it out of its"):
        read_gray(tmp_path / f"image.{suffix}")


@pytest.mark.parametrize("size", [(10, 161), (161, 10), (1, 3000)])
def test_a_strip_is_no_radiograph(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / "image.png")
    with pytest.raises(UserError, match=rf"image\.png of {size[1]} x {size[0]} pixels is a strip .*allow_missing"):
        stored(tmp_path / "image.png", image_size=32)


def test_an_image_sixteen_times_as_wide_as_high_is_stored(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((10, 160), np.uint8)).save(tmp_path / "image.png")
    assert stored(tmp_path / "image.png", image_size=32).shape == (32, 512)

"""Masks: what publishers mean by inside, where it is placed, and that it stays where the image has it."""

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from companion_rows import png_of_a_billion_pixels, stored_image, unhashed, whole_mask
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.companions.masks import read_drawn, structure_masks
from pipeline.shards.images import read_stored

Mask = npt.NDArray[np.uint8]
SIDES = st.integers(1, 70)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("masks")


def save(path: Path, pixels: npt.NDArray[Any], *options: int) -> Path:
    assert cv2.imwrite(str(path), pixels, options)
    return path


def disk(side: int = 64) -> Mask:
    round_mask = cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 3), side // 4, 255, -1)
    return np.asarray(round_mask, np.uint8)


def center(plane: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return row and column of the centre of mass, as shares of the plane."""
    rows, columns = np.indices(plane.shape) + 0.5
    weights = plane / plane.sum()
    return np.array([(rows * weights).sum() / plane.shape[0], (columns * weights).sum() / plane.shape[1]])


@given(drawn=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=70)), height=SIDES, width=SIDES)
def test_a_mask_has_the_size_of_its_image_whatever_its_own_and_pillows_nearest_values(
    folder: Path, drawn: npt.NDArray[np.bool_], height: int, width: int
) -> None:
    mask = drawn.astype(np.uint8) * 255
    save(folder / "any.png", mask)
    made = structure_masks([whole_mask("heart", "any.png")], stored_image((90, 80), (height, width)), unhashed(folder))
    nearest = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(made["heart"], np.asarray(nearest))


@given(
    shape=st.tuples(st.integers(40, 300), st.integers(40, 300)),
    share=st.tuples(*[st.floats(0.0, 0.6)] * 2, *[st.floats(0.1, 0.4)] * 2),
    short_side=st.integers(32, 64),
    decoding=st.sampled_from(["exact", "fast"]),
    ending=st.sampled_from([".png", ".jpg"]),
)
def test_a_mask_and_its_image_shrunk_together_stay_aligned(
    folder: Path,
    shape: tuple[int, int],
    share: tuple[float, float, float, float],
    short_side: int,
    decoding: str,
    ending: str,
) -> None:
    top, left, height, width = (int(part * shape[axis % 2]) for axis, part in enumerate(share))
    whole = np.zeros(shape, np.uint8)
    whole[top : top + height, left : left + width] = 255
    image = save(folder / f"image{ending}", whole, *([cv2.IMWRITE_JPEG_QUALITY, 100] if ending == ".jpg" else []))
    save(folder / "mask.png", whole)
    save(folder / "crop.png", whole[top : top + height, left : left + width])
    settings = ShardSettings.model_validate({"image_size": short_side, "decoding": decoding})
    stored = read_stored(image.read_bytes(), image, settings)
    placed = {"structure": "placed", "path": "crop.png", "left": left, "top": top}
    masks = structure_masks([whole_mask("whole", "mask.png"), placed], stored, unhashed(folder))
    np.testing.assert_array_equal(masks["placed"], masks["whole"])
    apart = (center(masks["whole"]) - center(stored.pixels)) * stored.pixels.shape
    assert (np.abs(apart) <= 0.5 + 0.05).all()  # ripples pull the image's centre a little


@pytest.mark.parametrize(
    "encode",
    [
        lambda mask: mask,
        lambda mask: mask // 255,
        lambda mask: mask.astype(np.uint16) * 257,
        lambda mask: mask.astype(np.uint16) // 255,
        lambda mask: np.dstack([mask, mask, mask]),
        lambda mask: np.dstack([mask // 255 * 73, mask // 255 * 73, mask // 255 * 187, np.full_like(mask, 255)]),
        lambda mask: np.dstack([mask * 0, mask * 0, mask, np.full_like(mask, 255)]),
        lambda mask: np.dstack([mask, mask, mask, np.zeros_like(mask)]),
    ],
    ids=["255", "1", "16-bit", "16-bit 1", "white", "brown on opaque black", "red on opaque black", "transparent"],
)
def test_every_publishers_way_to_draw_gives_the_same_mask(folder: Path, encode: Any) -> None:
    mask = disk()
    np.testing.assert_array_equal(read_drawn(save(folder / "drawn.png", encode(mask))), mask)


def test_one_bit_and_palette_files_are_masks_too(folder: Path) -> None:
    mask = disk()
    palette = Image.fromarray(mask // 255, "P")
    palette.putpalette([0, 0, 0, 255, 124, 33])
    for image in (Image.fromarray(mask).convert("1"), palette):
        content = BytesIO()
        image.save(content, "PNG")
        (folder / "other.png").write_bytes(content.getvalue())
        np.testing.assert_array_equal(read_drawn(folder / "other.png"), mask)


def test_borders_that_were_resized_to_gray_fall_on_the_nearer_side(folder: Path) -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 255
    larger = cv2.resize(mask, (128, 128), interpolation=cv2.INTER_LINEAR)
    assert len(np.unique(larger)) > 2
    sharp = cv2.resize(mask, (128, 128), interpolation=cv2.INTER_NEAREST)
    for ending in (".png", ".jpg"):
        read = read_drawn(save(folder / f"soft{ending}", larger))
        assert np.count_nonzero(read != sharp) < 0.02 * np.count_nonzero(sharp)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_ripples_of_a_jpeg_are_outside(folder: Path, quality: int) -> None:
    mask = disk(128)
    file = save(folder / "mask.jpg", mask, cv2.IMWRITE_JPEG_QUALITY, quality)
    ripples = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))
    assert np.count_nonzero(ripples) > 1.05 * np.count_nonzero(mask)
    near = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    np.testing.assert_array_equal(read_drawn(file)[~near], mask[~near])


@pytest.mark.parametrize(("ending", "black"), [(".png", 0), (".jpg", 0), (".jpg", 1)])
def test_a_mask_in_which_nobody_drew_is_empty(folder: Path, ending: str, black: int) -> None:
    file = save(folder / f"empty{ending}", np.full((30, 40), black, np.uint8))
    assert not read_drawn(file).any()


def test_a_structure_drawn_in_several_files_is_their_union(folder: Path) -> None:
    upper, lower = disk(), np.flipud(disk())
    save(folder / "upper.png", upper)
    save(folder / "lower.png", lower)
    files = [whole_mask("opacity", "upper.png"), whole_mask("heart", "upper.png"), whole_mask("opacity", "lower.png")]
    masks = structure_masks(files, stored_image((64, 64), (64, 64)), unhashed(folder))
    np.testing.assert_array_equal(masks["opacity"], upper | lower)
    np.testing.assert_array_equal(masks["heart"], upper)


@pytest.mark.parametrize(("left", "top"), [(17, 0), (0, 37), (-1, 0), (0, -1)])
def test_a_mask_that_sticks_out_of_its_image_is_named_with_its_place(folder: Path, left: int, top: int) -> None:
    save(folder / "out.png", disk())
    mask = {"structure": "heart", "path": "out.png", "left": left, "top": top}
    with pytest.raises(UserError, match=rf"out\.png of 64 x 64 .* of 80 x 100 .*, at left {left}, top {top}; correct"):
        structure_masks([mask], stored_image((100, 80), (50, 40)), unhashed(folder))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("words.png", b"no image at all"),
        ("vast.png", png_of_a_billion_pixels()),
        ("cut.png", cv2.imencode(".png", disk())[1].tobytes()[:-200]),
        ("cut.jpg", cv2.imencode(".jpg", disk())[1].tobytes()[:-200]),
    ],
)
def test_a_mask_file_that_is_no_whole_image_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"the mask .*{name} cannot be read \(.*\); restore it and run snakemake"):
        read_drawn(folder / name)


def test_a_mask_file_that_is_gone_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"the mask .*gone\.png cannot be read .*; restore it"):
        read_drawn(folder / "gone.png")

"""What was written beside an image is read back, or refused, where no tables are installed."""

import subprocess
import sys
from string import ascii_lowercase, digits

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.shards.companions.names import mask_name
from pipeline.shards.companions.png import encode_png
from pipeline.shards.companions.reading import read_boxes, read_mask, read_text


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_masks_and_gaze_maps_are_read_as_they_were_written(plane: npt.NDArray[np.uint8]) -> None:
    png = encode_png(plane)
    np.testing.assert_array_equal(read_mask(png), plane)
    assert encode_png(plane.copy(order="F")) == png


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"words",
        encode_png(np.arange(4096, dtype=np.uint8).reshape(64, 64) * 37)[:-40],
        cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes(),
        cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1].tobytes(),
    ],
    ids=["nothing", "words", "cut short", "colour", "16 bits"],
)
def test_what_is_no_whole_gray_image_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="the PNG is damaged"):
        read_mask(content)


@pytest.mark.parametrize(
    "content", [b"", b'{"boxes":[', b'{"boxes":[1]}', b'{"boxes":[{"label":"mass"}]}', b"[]", b"\xff"]
)
def test_a_description_that_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_boxes(content)


def test_a_text_that_is_damaged_is_refused() -> None:
    assert read_text("Effusion à gauche".encode()) == "Effusion à gauche"
    with pytest.raises(ValueError, match="utf-8"):
        read_text(b"\xff\xfe")


@given(st.text())
def test_the_name_of_a_mask_is_one_word_between_two_dots(structure: str) -> None:
    try:
        name = mask_name(structure)
    except ValueError:
        assert structure == "" or not set(structure) <= set(f"{ascii_lowercase}{digits}_-")
    else:
        assert name == name.lower()
        assert name.split(".") == ["mask", structure, "png"]
        assert "/" not in name


def test_reading_needs_neither_tables_nor_torch() -> None:
    check = "import sys, pipeline.shards.companions.reading; print({'polars', 'torch', 'pydantic'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"

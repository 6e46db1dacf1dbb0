"""An image that was decoded at a fraction lies on its companions, which are as large as it was stored."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from shard_cohort import samples as samples_of

from pipeline.batches.augmentation import plain
from pipeline.batches.batch import Companions, ImageBatch
from pipeline.batches.loader import fixed_batches
from pipeline.batches.samples import Samples, Selection
from pipeline.shards.companions.png import encode_png
from pipeline.shards.index import write_index
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.tar import Sample, write_tar

SIDE = 224
COMPANIONS = Companions(masks=("heart",), gaze=True, boxes=True)


def radius_in(height: int, width: int) -> float:
    return 0.15 * min(height, width)


def disc(height: int, width: int) -> NDArray[np.float64]:
    """Return a disc near the lower right corner, 0.0 to 1.0, with a soft edge."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    radius = radius_in(height, width)
    distance = np.hypot(rows - height + 1.3 * radius, columns - width + 1.3 * radius)
    return np.asarray(np.clip(radius + 0.5 - distance, 0, 1))


def members(height: int, width: int) -> dict[str, bytes]:
    """Return mask, gaze map and box of the disc."""
    drawn, radius = disc(height, width), radius_in(height, width)
    corner = {"left": width - 2.3 * radius, "top": height - 2.3 * radius}
    box = {"label": "disc", "reader": None, "width": 2 * radius, "height": 2 * radius}
    return {
        "gaze.png": encode_png(np.rint(255 * drawn).astype(np.uint8)),
        "json": json.dumps({"boxes": [box | corner]}).encode(),
        "mask.heart.png": encode_png(np.where(drawn > 0.5, 255, 0).astype(np.uint8)),
    }


def discs() -> Iterator[Sample]:
    """Yield images of odd and even sizes of one disc each."""
    sizes = np.random.default_rng(0).integers(200, 360, (12, 2)).tolist()
    for sample, (height, width) in zip(samples_of(range(12), "train", seed=0), sizes, strict=True):
        jpeg = encode_jpeg(np.rint(255 * disc(height, width)).astype(np.uint8), 100)
        yield replace(sample, height=height, width=width, jpeg=jpeg, members=members(height, width))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    table, summary = write_tar(folder / "train-000000.tar", discs())
    write_index(folder / "index.parquet", table, [summary])
    return folder / "index.parquet"


def read(index: Path, read_size: int | None) -> ImageBatch:
    with Samples([index], Selection(("train",))) as samples:
        (batch,) = fixed_batches(samples, len(samples), np.arange(len(samples)), 1, COMPANIONS, read_size)
    return batch


@given(read_size=st.none() | st.integers(20, 360))
@hypothesis_settings(max_examples=25)
def test_companions_lie_on_an_image_decoded_at_a_fraction(index: Path, read_size: int | None) -> None:
    squares = plain(read(index, read_size), SIDE)
    assert squares.masks is not None
    assert squares.gaze is not None
    assert squares.boxes is not None
    left, top, right, bottom = squares.boxes.corners.double().numpy().T * SIDE - 0.5
    boxed = np.column_stack([top + bottom, left + right]) / 2
    images, masks, gazes = (
        np.array([ndimage.center_of_mass(plane[0].double().numpy()) for plane in planes])
        for planes in (squares.images, squares.masks, squares.gaze)
    )
    for centres in (gazes, boxed):
        np.testing.assert_allclose(images, centres, atol=0.1)
    np.testing.assert_allclose(images, masks, atol=0.3)  # the nearest pixel is up to half a pixel off, a disc less


@pytest.mark.parametrize("read_size", [None, 25, 77, 180])
def test_a_picture_reaches_over_as_many_pixels_as_were_stored(index: Path, read_size: int | None) -> None:
    batch = read(index, read_size)
    assert batch.gaze is not None
    reduction = batch.images.extents / batch.gaze.sizes
    assert torch.equal(reduction[:, 0], reduction[:, 1])
    assert torch.equal(reduction * 8, (reduction * 8).round())
    assert torch.equal(batch.images.extents.ceil().long(), batch.images.sizes)

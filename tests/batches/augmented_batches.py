"""What the tests of augmentation share: batches whose companions show where the image went."""

from functools import lru_cache

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from pipeline.batches.batch import Boxes, ImageBatch
from pipeline.batches.planes import Planes
from pipeline.settings.augmentation import (
    AffineSettings,
    AugmentationSettings,
    BlurSettings,
    ErasingSettings,
    IntensitySettings,
)

HEIGHT, WIDTH = 80, 100
SIDE = 64


def batch_of(
    pixels: Tensor, epoch: int = 0, masks: Tensor | None = None, gaze: Tensor | None = None, boxes: Boxes | None = None
) -> ImageBatch:
    """Return a batch of images [B, 1, H, W] that fill their places, numbered from 0."""
    indices = np.arange(len(pixels))
    return ImageBatch(
        images=Planes.of(pixels),
        epochs=np.full_like(indices, epoch),
        indices=indices,
        corpora=np.zeros_like(indices),
        masks=None if masks is None else Planes.of(masks),
        gaze=None if gaze is None else Planes.of(gaze),
        boxes=boxes,
    )


def noise(count: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Return random images, uint8 [count, 1, height, width]."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, height, width), generator=generator, dtype=torch.uint8)


@lru_cache
def blob_batch(count: int, *, square: bool) -> ImageBatch:
    """Return images of one white disc or rectangle each, that is its own mask and gaze map and has a box around it."""
    generator = np.random.default_rng(0)
    pixels = np.zeros((count, 1, HEIGHT, WIDTH), dtype=np.uint8)
    corners = np.zeros((count, 4), dtype=np.float32)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for image in range(count):
        top, left = generator.integers(25, 40), generator.integers(30, 50)
        height, width = generator.integers(16, 24, 2) if square else (17, 17)
        inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
        if not square:
            inside = (rows - top - 8) ** 2 + (columns - left - 8) ** 2 <= 8.3**2
        pixels[image, 0][inside] = 255
        corners[image] = left / WIDTH, top / HEIGHT, (left + width) / WIDTH, (top + height) / HEIGHT
    white = torch.from_numpy(pixels)
    boxes = Boxes(torch.from_numpy(corners), torch.arange(count), ("blob",) * count)
    return batch_of(white, masks=white, gaze=white, boxes=boxes)


def ascending(smallest: float, largest: float) -> st.SearchStrategy[tuple[float, float]]:
    """Draw a range within a range."""
    edge = st.floats(smallest, largest)
    return st.tuples(edge, edge).map(lambda pair: (min(pair), max(pair)))


GEOMETRIES = st.builds(
    AugmentationSettings,
    crop_scale=ascending(0.4, 1.0),
    crop_ratio=ascending(0.6, 1.7),
    interpolation=st.just("bilinear"),
    flip=st.booleans(),
    affine=st.none()
    | st.builds(
        AffineSettings,
        probability=st.just(0.7),
        rotation=st.floats(0, 60),
        translation=st.floats(0, 0.2),
        zoom=ascending(0.7, 1.4),
    ),
)
"""Settings under which an image moves, and keeps its gray values."""

EVERYTHING = st.builds(
    AugmentationSettings,
    crop_scale=ascending(0.0, 1.0),
    crop_ratio=ascending(0.1, 10.0),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
    flip=st.booleans(),
    affine=st.none()
    | st.builds(
        AffineSettings,
        probability=st.floats(0, 1),
        rotation=st.floats(0, 180),
        translation=st.floats(0, 1),
        zoom=ascending(0.1, 10.0),
    ),
    intensity=st.none()
    | st.builds(
        IntensitySettings,
        probability=st.floats(0, 1),
        brightness=st.floats(0, 1),
        contrast=st.floats(0, 1),
        gamma=st.floats(0, 1),
    ),
    blur=st.none() | st.builds(BlurSettings, probability=st.floats(0, 1), sigma=ascending(0.01, 5.0)),
    erasing=st.none()
    | st.builds(ErasingSettings, probability=st.floats(0, 1), area=ascending(0.0, 1.0), ratio=ascending(0.1, 10.0)),
)
"""Settings of every kind."""

"""Targets of CXR-MIM: pyramids of oriented gradients, against scikit-image's `hog` and torch's own layers.

Nine orientations in cells of 4, 8, 16 and 32 pixels of 64 images of 224 x 224 pixels: real radiographs where they are
at hand, phantoms elsewhere. scikit-image takes one image and one cell at a time, 8 of the images here, and differences
of neighbours instead of Sobel gradients. The second peer is what one writes with torch's layers: convolution, scatter
into one map for each bin, one pooling for each scale; it takes as few images at once as ours. That all give the same
histograms is checked first. Goal: 5 times scikit-image's rate. One thread, processor time, medians of interleaved
rounds.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from skimage.feature import hog as scikit_image_hog  # type: ignore[import-not-found, import-untyped, unused-ignore]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn import functional

from benchmarks.frame import Measure, cpu_seconds, interleaved, more_is_better
from pipeline.models.hog import histograms, hog_pyramid
from pipeline.models.pyramid_autoencoder import PyramidAutoencoder
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import CxrMimSettings
from pipeline.shards.gray import GrayImage
from pipeline.shards.images import read_gray
from pipeline.sources.phantom.patient import sample_patient
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.study import sample_studies

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "realdata"
CORPORA = ("hannover_cxr_labs", "kermany_pediatric_cxr", "nih_cxr14")
SIDE, IMAGES = 224, 64
ORIENTATIONS, CELLS = 9, (4, 8, 16, 32)
PEER_IMAGES, LAYERS_AT_ONCE, STEP_IMAGES = 8, 4, 8
ROUNDS = 5
AGREEMENT = 1e-5  # scikit-image adds magnitudes in float32
SCIKIT_IMAGE, LAYERS = "scikit-image hog", "torch layers"

Floats = NDArray[np.float64]


def run() -> list[Measure]:
    """Check that ours agrees with both peers, then time all, and beside them a training step."""
    images = read_images()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            check_agreement(np.rint(255 * images[0]))
            measures = [*measure_scales(images), *measure_layers(images)]
            print_share_of_step(images, measures[0].ours)
    finally:
        torch.set_num_threads(threads)
    return measures


def read_images() -> list[Floats]:
    """Return gray images [224, 224], 0.0 to 1.0, every corpus's first ones, or phantoms."""
    if not REAL_DATA.is_dir():
        Console().print(f"{REAL_DATA} does not exist; phantoms are measured")
        return [draw_phantom(number) for number in range(IMAGES)]
    folders = [sorted((REAL_DATA / corpus / "images").iterdir()) for corpus in CORPORA]
    paths = islice((path for of_all in zip(*folders, strict=False) for path in of_all), IMAGES)
    return [as_square(read_gray(path)) for path in paths]


def draw_phantom(number: int) -> Floats:
    """Return the first frontal radiograph of a phantom."""
    patient = sample_patient(0, number)
    return as_square(render(patient, sample_studies(patient)[0], "frontal", (SIDE, SIDE)).image)


def as_square(image: GrayImage) -> Floats:
    """Return an image of the network's size, 0.0 to 1.0."""
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64) / 255


def check_agreement(levels: Floats) -> None:
    """Print the largest differences to the peers' histograms of an image; too large a one ends the benchmark.

    Gray levels are whole numbers here, 0 to 255: of shares of them, hard bins depend on the rounding of each peer.
    """
    across, down = np.zeros((2, SIDE, SIDE))
    across[:, 1:-1] = levels[:, 2:] - levels[:, :-2]
    down[1:-1] = levels[2:] - levels[:-2]
    horizontal, vertical = (torch.from_numpy(plane)[None, None] for plane in (across, down))
    of_neighbours = histograms(horizontal, vertical, ORIENTATIONS, "hard", CELLS)
    require_equal(SCIKIT_IMAGE, of_neighbours, [torch.from_numpy(by_scikit_image(levels, cell)) for cell in CELLS])
    batch = as_batch([levels])
    require_equal(LAYERS, hog_pyramid(batch, ORIENTATIONS, "hard", CELLS), by_layers(batch))


def require_equal(peer: str, ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Print the largest difference of histograms of length 1. Raises `ArithmeticError` above AGREEMENT."""
    difference = max(float((own - its).abs().max()) for own, its in zip(ours, theirs, strict=True))
    Console().print(f"largest difference to the histograms of {peer}: {difference:.1e}")
    if difference > AGREEMENT:
        raise ArithmeticError(f"the histograms differ by {difference:.1e}; the timing means nothing")


def measure_scales(images: list[Floats]) -> list[Measure]:
    """Compare with scikit-image: the pyramid, and its finest scale alone, which is no longer one pass against four."""
    batch, few = as_batch(images), images[:PEER_IMAGES]
    measures = []
    for name, cells in (("4 scales", CELLS), ("4-pixel cells alone", CELLS[:1])):
        ours = [partial(hog_pyramid, batch, ORIENTATIONS, binning, cells) for binning in ("linear", "hard")]
        theirs, *own = interleaved([partial(all_by_scikit_image, few, cells), *ours], ROUNDS)
        measures += [
            rate(f"{name}, {binning}", seconds, theirs * len(images) / len(few), SCIKIT_IMAGE)
            for binning, seconds in zip(("linear", "hard"), own, strict=True)
        ]
    return measures


def measure_layers(images: list[Floats]) -> list[Measure]:
    """Compare with torch's layers, which gain by few images at once as ours do."""
    batch = as_batch(images)
    ours = partial(hog_pyramid, batch, ORIENTATIONS, "hard", CELLS)
    theirs = partial(all_by_layers, torch.split(batch, LAYERS_AT_ONCE))
    own, its = interleaved([ours, theirs], ROUNDS)
    return [rate("4 scales, hard", own, its, LAYERS)]


def rate(measure: str, ours: float, theirs: float, peer: str) -> Measure:
    """Compare the images per CPU-second of two that took so long for all images."""
    return more_is_better(measure, IMAGES / ours, IMAGES / theirs, peer, "images/CPU-s")


def print_share_of_step(images: list[Floats], images_per_second: float) -> None:
    """Print how long the pyramid takes beside the forward and backward pass of ViT-B that learns it, in float32."""
    settings = EncoderSettings(architecture="vit_base_patch16_224")
    model = PyramidAutoencoder(settings, CxrMimSettings(kind="cxr_mim"), seed=0)
    batch = as_batch(images[:STEP_IMAGES])
    places = torch.arange(settings.rows**2).expand(len(batch), -1)
    visible, masked = places[:, ::4], places[:, torch.arange(settings.rows**2) % 4 > 0]

    def step() -> None:
        torch.stack([scale.square().mean() for scale in model(batch, visible, masked)]).sum().backward()  # type: ignore[no-untyped-call]

    step()
    share = len(batch) / images_per_second / cpu_seconds(step)
    Console().print(f"the pyramid takes {share:.2%} of the time of the ViT-B step that it is the target of (fp32)")


def as_batch(images: list[Floats]) -> Tensor:
    """Return images as a task has them, float32 [B, 1, 224, 224]."""
    return torch.from_numpy(np.stack(images)).float().unsqueeze(1)


def by_scikit_image(image: Floats, cell: int) -> Floats:
    """Return the histograms [cells, orientations] of an image."""
    made: Floats = scikit_image_hog(
        image, ORIENTATIONS, (cell, cell), cells_per_block=(1, 1), block_norm="L2", feature_vector=False
    )
    return made.reshape(-1, ORIENTATIONS)


def all_by_scikit_image(images: list[Floats], cells: tuple[int, ...]) -> None:
    """Compute the histograms of all images at all scales."""
    for image in images:
        for cell in cells:
            by_scikit_image(image, cell)


def all_by_layers(parts: Sequence[Tensor]) -> None:
    """Compute the histograms of all images at all scales."""
    for part in parts:
        by_layers(part)


@torch.no_grad()
def by_layers(images: Tensor) -> list[Tensor]:
    """Return the histograms as torch's layers make them (spec CXR-MIM B5)."""
    sobel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
    framed = functional.pad(images, (1, 1, 1, 1), mode="reflect")
    both = functional.conv2d(framed, torch.stack([sobel, sobel.T]).unsqueeze(1))
    angles = torch.atan2(both[:, 1:], both[:, :1])
    bins = (angles / torch.pi * ORIENTATIONS).floor().long() % ORIENTATIONS
    maps = images.new_zeros(len(images), ORIENTATIONS, SIDE, SIDE).scatter_(1, bins, both.norm(dim=1, keepdim=True))
    pooled = (functional.normalize(functional.avg_pool2d(maps, cell), dim=1) for cell in CELLS)
    return [of_cells.flatten(2).transpose(1, 2) for of_cells in pooled]

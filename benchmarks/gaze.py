"""Heat maps of fixations, against the recipe of REFLACX's authors: scipy's multivariate normal on the full grid.

One reading of 50 fixations on an image of 3056 x 2544 pixels, the size of most of MIMIC-CXR's; about 133 pixels
per degree at full view, fewer where the reader zoomed in (spec CXR-MIM B3). The peer computes a few of the
fixations and its time is scaled up linearly; the maps of those few must agree. One thread, processor time,
medians of interleaved rounds.
"""

from functools import partial

import numpy as np
import numpy.typing as npt
from rich.console import Console
from scipy.stats import multivariate_normal
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.frame import Measure, Task, interleaved, less_is_better
from pipeline.sources.gaze.fixations import Fixations
from pipeline.sources.gaze.heatmap import heatmap

SHAPE = (3056, 2544)
SMALL = (269, 224)
FIXATIONS, PEER_FIXATIONS = 50, 3
ROUNDS = 3
AGREEMENT = 1e-5

Floats = npt.NDArray[np.float64]


def run() -> list[Measure]:
    """Check that both sides draw the same map, then time them."""
    reading = draw_reading()
    few = reading.select(np.arange(FIXATIONS) < PEER_FIXATIONS)
    check_agreement(few)
    tasks: list[Task] = [
        partial(full_grid, few),
        partial(heatmap, reading, SHAPE),
        partial(heatmap, reading, SHAPE, SMALL),
    ]
    with threadpool_limits(1):
        peer, full, small = interleaved(tasks, ROUNDS)
    peer *= FIXATIONS / PEER_FIXATIONS
    where = f"{FIXATIONS} fixations (peer: {PEER_FIXATIONS}, scaled)"
    return [
        less_is_better(f"full-size map, {where}", full, peer, "multivariate_normal", "CPU-s"),
        less_is_better(f"map of {SMALL[0]} x {SMALL[1]}, {where}", small, peer, "multivariate_normal", "CPU-s"),
    ]


def draw_reading() -> Fixations:
    """Draw fixations that cover the image, every third at twice the magnification."""
    rng = np.random.Generator(np.random.Philox(key=0))
    height, width = SHAPE
    start = np.cumsum(rng.uniform(0.2, 1.0, FIXATIONS))
    position = rng.uniform(0.1, 0.9, (FIXATIONS, 2)) * (width, height)
    zoom = np.where(np.arange(FIXATIONS) % 3 == 2, 2.0, 1.0)[:, None]
    half = np.array([[width, height]]) / (2 * zoom)
    centre = np.clip(position, half, (width, height) - half)
    return Fixations(
        times=np.stack([start, start + rng.uniform(0.1, 0.8, FIXATIONS)], axis=1),
        position=position,
        resolution=133.0 / zoom * np.ones((1, 2)),
        shown=np.concatenate([centre - half, centre + half], axis=1),
        on_screen=np.tile([900.0, 80.0, 2600.0, 2122.0], (FIXATIONS, 1)),
    )


def full_grid(reading: Fixations) -> Floats:
    """Sum densities evaluated at every pixel shown, as the authors do, [H, W]."""
    total = np.zeros(SHAPE, np.float32)
    for at, spread, shown, seconds in zip(
        reading.position, reading.resolution, reading.shown, reading.duration, strict=True
    ):
        left, top, right, bottom = (round(edge) for edge in shown)
        rows, columns = np.mgrid[top:bottom, left:right]
        density = multivariate_normal(at[::-1], np.diag(spread[::-1] ** 2)).pdf(np.stack([rows, columns], axis=-1))
        total[top:bottom, left:right] += density * seconds
    return np.asarray(total / total.sum(dtype=np.float64), np.float64)


def check_agreement(reading: Fixations) -> None:
    """Print the largest difference to the peer as a share of the peak; too large a one ends the benchmark."""
    theirs = full_grid(reading)
    difference = float(np.abs(heatmap(reading, SHAPE) - theirs).max() / theirs.max())
    Console().print(f"largest difference to the peer's map: {difference:.1e} of its peak")
    if difference > AGREEMENT:
        raise ArithmeticError(f"the maps differ by {difference:.1e} of their peak; the timing means nothing")

"""Training steps of masked autoencoders on a GPU, against Hugging Face's model in eager mode.

Whole steps in bfloat16 (autocast): forward and backward pass and fused AdamW, 224 px, patches of 16, 90 % masked, on
images that lie on the GPU. ViT-S and ViT-B, each with the decoders 8 x 512, 2 x 512, and `cross` 8 x 512 that predicts
a quarter of the hidden patches. The peer is `ViTMAEForPreTraining` with fused attention, three channels and the decoder
of the same size, which for `cross` is another method. Ours computes repeatable sums, as in training; the peer need not.
Medians of interleaved rounds by the clock. Goals, ViT-B on one H100: 6,500 images/s with 8 x 512, 15,000 with `cross`,
three times the peer.

- images/s, eager and compiled.
- MFU: the share of the rate at which this GPU multiplies large matrices, measured here, that goes into the products of
  the model.
- data wait: the share of the time of compiled steps, augmentation included, that is added where batches come from the
  loader, from a shard of 256 px in the page cache, and not from one that is taken time and again; goal below 5 %.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console

from benchmarks.frame import Measure, Task, interleaved, less_is_better, more_is_better, wall_seconds
from benchmarks.masked.feeding import Fed, loaded, write_shard
from benchmarks.masked.shapes import BASE, CROSS, DEEP, SHALLOW, SMALL, Shape, shape
from benchmarks.masked.steps import PEER, Training, train_ours, train_theirs
from pipeline.batches.batch import ImageBatch
from pipeline.records.errors import UserError
from pipeline.training.device import prepare_device
from pipeline.training.utilisation import Utilisation

DECODERS = {"mae 8 x 512": DEEP, "mae 2 x 512": SHALLOW, "cross 8 x 512, 25 %": CROSS}
SHAPES = [
    shape(f"{name}, {decoder}", encoder, **settings)
    for name, encoder in {"ViT-S": SMALL, "ViT-B": BASE}.items()
    for decoder, settings in DECODERS.items()
]
EAGER, COMPILED = "eager", "compiled"
PRECISION, FORMAT = "bfloat16", torch.bfloat16
LARGEST_BATCH, BYTES_PER_IMAGE = 1024, 64e6
"""Images per step where they fit; a ViT-B of the peer keeps about this much of each for the backward pass."""
LARGEST_WAIT, LEAST_WAIT = 5.0, 0.1
"""Goal, and what counts as none, %."""


@dataclass(frozen=True)
class Effort:
    """Say how much is run."""

    batch_size: int
    warm_up: int
    """Steps of each contender before any is timed: kernels are compiled and memory is taken."""
    steps: int
    """Steps that are timed together, so that launches run ahead as they do in training."""
    rounds: int
    samples: int
    """Images of the shard that is loaded."""


def run() -> list[Measure]:
    """Measure all shapes on the first GPU. Raises `UserError` where there is none."""
    if not torch.cuda.is_available():
        raise UserError(
            "this benchmark needs a GPU, and torch sees none here; run `make bench NAME=mae_gpu` where one is"
        )
    device = prepare_device(torch.get_num_threads())
    effort = Effort(batch_that_fits(device), warm_up=3, steps=10, rounds=3, samples=16 * LARGEST_BATCH)
    with TemporaryDirectory() as folder:
        index = write_shard(Path(folder), effort.samples)
        return [measure for shape in SHAPES for measure in measure_shape(shape, device, effort, index)]


def batch_that_fits(device: torch.device) -> int:
    """Return the largest power of two of images, up to `LARGEST_BATCH`, that a GPU has memory for."""
    fitting = torch.cuda.get_device_properties(device).total_memory / BYTES_PER_IMAGE
    return min(LARGEST_BATCH, 1 << (int(fitting).bit_length() - 1))


def measure_shape(shape: Shape, device: torch.device, effort: Effort, index: Path) -> list[Measure]:
    """Compare a shape with its peer, eager and compiled, and feed it from an index of shards."""
    Console().print(f"{shape.name}: {effort.batch_size} images per step")
    measures = measure_rates(shape, device, effort)
    clear(device)
    wait = max(100 * data_wait(shape, device, effort, index), LEAST_WAIT)
    clear(device)
    return [*measures, less_is_better(f"{shape.name}, compiled: data wait", wait, LARGEST_WAIT, "goal", "%")]


def measure_rates(shape: Shape, device: torch.device, effort: Effort) -> list[Measure]:
    """Compare images per second, and MFU, of steps on images that lie on the device."""
    trainings = {
        PEER: train_theirs(shape, effort.batch_size, device),
        EAGER: train_ours(shape, effort.batch_size, device),
        COMPILED: train_ours(shape, effort.batch_size, device, compiled=True),
    }
    for name, training in trainings.items():
        take_steps(training, name != PEER, device, effort.warm_up)
    tasks: list[Task] = [
        partial(take_steps, training, name != PEER, device, effort.steps) for name, training in trainings.items()
    ]
    seconds = interleaved(tasks, effort.rounds, wall_seconds)
    rates = [effort.batch_size * effort.steps / spent for spent in seconds]
    shares = [mfu(training, rate, device, effort) for training, rate in zip(trainings.values(), rates, strict=True)]
    return [
        more_is_better(f"{shape.name}, {name}{quantity}", own, peer, PEER, unit)
        for quantity, (peer, *ours), unit in (("", rates, "images/s"), (": MFU", shares, "%"))
        for name, own in zip((EAGER, COMPILED), ours, strict=True)
    ]


def mfu(training: Training, rate: float, device: torch.device, effort: Effort) -> float:
    """Return the share of the device, %, that a rate in images per second comes to."""
    utilisation = Utilisation(device, PRECISION)
    utilisation.count(lambda: training.loss(FORMAT), effort.batch_size)
    return 100 * (utilisation.share(rate) or 0.0)


def take_steps(training: Training, repeatable: bool, device: torch.device, steps: int) -> None:
    """Take steps, whose sums are repeatable or not, and wait for the last."""
    with repeatable_sums(repeatable):
        for _ in range(steps):
            training.step(FORMAT)
        wait_for(device)


def data_wait(shape: Shape, device: torch.device, effort: Effort, index: Path) -> float:
    """Return the share, 0.0 to 1.0, that loading adds to the time of compiled steps."""
    fed = Fed(shape, device, FORMAT, compiled=True)
    threads, steps = os.cpu_count() or 1, effort.rounds * effort.steps
    batches = loaded(index, shape, effort.batch_size, threads, effort.warm_up + steps, pinned=device.type == "cuda")

    def train(some: Iterable[ImageBatch]) -> None:
        fed.train(some)
        wait_for(device)

    with repeatable_sums(True):
        first, *others = [next(batches) for _ in range(effort.warm_up)]
        train([first, *others])
        from_loader = wall_seconds(lambda: train(batches))
        repeated = wall_seconds(lambda: train([first] * steps))
    return max(0.0, 1 - repeated / from_loader)


@contextmanager
def repeatable_sums(wanted: bool) -> Iterator[None]:
    """Let operators compute sums in one order, as training does, or in any, while the block runs."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=True)


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def clear(device: torch.device) -> None:
    """Give back the memory that the last models left, and forget what was compiled."""
    torch.compiler.reset()
    if device.type == "cuda":
        torch.cuda.empty_cache()

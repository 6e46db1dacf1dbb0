"""From stored radiographs to batches, against webdataset, litdata and a folder of files.

The same 8,192 samples for all: real radiographs of short side 256 in many shapes, JPEG quality 95, each about a
dozen times under keys of its own, in the page cache. Two cores' worth of help for all: two threads for ours, two
worker processes for each peer. Ours checks a crc32 per sample, which no peer does, and shuffles all samples with
all, as of the peers only the folder of files does.

- webdataset recipe: its documentation's pipeline, to 3 x 224 x 224 floats; goal 6 times its rate.
- JPEG files: what Medical MAE and PaCX-MAE do, to 3 x 224 x 224 floats; goal 6 times.
- webdataset + our decoder, litdata + our decoder: the work that ours does, to 8-bit images of their own size on one
  canvas, in memory shared with the main process; goals 1.2 and 1.0 times.
- ours to floats: crop, flip and normalise ours on the CPU too, where a GPU is meant to: what a machine without one
  pays for what the first two give, in one channel instead of three.

The clock of every contender starts at its first batch, so that starting worker processes costs the peers nothing,
and counts the batches after it. Rates by the clock, and per second of processor time of all processes together;
medians of interleaved epochs.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.frame import Measure, Stopwatch, more_is_better
from benchmarks.loading.cohort import SPLIT, Cohort, write_cohort
from benchmarks.loading.peers import (
    BATCH_SIZE,
    MEAN,
    SIDE,
    STD,
    WORKERS,
    Batch,
    jpeg_files,
    litdata_with_our_decoder,
    webdataset_recipe,
    webdataset_with_our_decoder,
)
from pipeline.batches.augmentation import augment
from pipeline.batches.loader import TrainingLoader
from pipeline.batches.samples import Samples
from pipeline.batches.selection import Selection
from pipeline.settings.augmentation import AugmentationSettings

ROUNDS, QUICK_TURNS = 3, 3
SEED = 0

Contender = Callable[[Cohort], Iterator[Batch]]


@dataclass(frozen=True)
class Rate:
    """Say how many images a contender delivers."""

    wall: float
    """Images per second by the clock."""
    cpu: float
    """Images per second of processor time, of all its processes."""


def run() -> list[Measure]:
    """Write the samples in every form, then let all contenders read them in turns."""
    with TemporaryDirectory() as folder:
        cohort = write_cohort(Path(folder))
        rates = defaultdict(list)
        for name in turns():
            rates[name].append(time_epoch(CONTENDERS[name], cohort))
            Console().print(f"{name}: {rates[name][-1].wall:,.0f} images/s, {rates[name][-1].cpu:,.0f} per CPU-s")
    return compare({name: median(of_contender) for name, of_contender in rates.items()})


def ours(cohort: Cohort) -> Iterator[Batch]:
    """Load the shards with the pipeline's loader, to uint8 [B, 1, H, W]."""
    with Samples([cohort.index], Selection((SPLIT,))) as samples:
        loader = TrainingLoader(samples, BATCH_SIZE, SEED, threads=WORKERS)
        for batch in loader.batches(0, len(samples) // BATCH_SIZE):
            yield batch.images.pixels, [samples.key(index) for index in batch.indices]


def ours_to_floats(cohort: Cohort) -> Iterator[Batch]:
    """Load the shards with the pipeline's loader and augment on the CPU, to float32 [B, 1, 224, 224]."""
    settings = AugmentationSettings()
    with Samples([cohort.index], Selection((SPLIT,))) as samples:
        loader = TrainingLoader(samples, BATCH_SIZE, SEED, threads=WORKERS)
        for batch in loader.batches(0, len(samples) // BATCH_SIZE):
            images = augment(batch, settings, SEED, SIDE).images
            yield (images - MEAN[0]) / STD[0], [samples.key(index) for index in batch.indices]


SLOW: dict[str, Contender] = {
    "webdataset recipe": webdataset_recipe,
    "JPEG files": jpeg_files,
    "ours to floats": ours_to_floats,
}
QUICK: dict[str, Contender] = {
    "webdataset + our decoder": webdataset_with_our_decoder,
    "litdata + our decoder": litdata_with_our_decoder,
    "ours": ours,
}
CONTENDERS = SLOW | QUICK


def turns() -> Iterator[str]:
    """Yield whose turn it is: in every round each once, and those that take a second or two several times."""
    for _ in range(ROUNDS):
        yield from SLOW
        for _ in range(QUICK_TURNS):
            yield from QUICK


def time_epoch(contender: Contender, cohort: Cohort) -> Rate:
    """Read an epoch and time what comes after its first batch. Raises `ArithmeticError` unless each key came once."""
    batches = contender(cohort)
    keys = list(next(batches)[1])
    start, first = Stopwatch.read(), len(keys)
    for _, more in batches:
        keys.extend(more)
    spent = Stopwatch.read() - start
    if sorted(keys) != cohort.keys:
        raise ArithmeticError(f"{len(keys)} samples came, {len(set(keys))} of {len(cohort.keys)} keys; no fair race")
    return Rate((len(keys) - first) / spent.wall, (len(keys) - first) / spent.cpu)


def median(rates: list[Rate]) -> Rate:
    """Return the median of each rate."""
    return Rate(statistics.median(rate.wall for rate in rates), statistics.median(rate.cpu for rate in rates))


def compare(rates: dict[str, Rate]) -> list[Measure]:
    """Compare ours with every peer, and ours to floats with those that end in floats."""
    pairs = [("ours", peer) for peer in CONTENDERS if not peer.startswith("ours")]
    pairs += [("ours to floats", peer) for peer in ("webdataset recipe", "JPEG files")]
    return [
        more_is_better(f"{name} ({clock})", getattr(rates[name], clock), getattr(rates[peer], clock), peer, unit)
        for name, peer in pairs
        for clock, unit in (("wall", "images/s"), ("cpu", "images/CPU-s"))
    ]

"""Indexes of up to a million samples: what opening one costs, and that no sample costs more for it.

Made indexes whose tars are links to one small file, so that every read hits the page cache and what is left is our
own work. Opening: reading the index, choosing the split, checking the size of each tar (1,000 samples in each, 378 of
them at MIMIC-CXR-JPG's 377,110 images). A process of its own for each size; its clock starts after the imports (of
pandas, which pyarrow imports when first asked for numpy, it sees half a second) and its memory is counted from there.
Cost per sample: its place in the shuffled order, its row, the checked read, and decoding, in batches from all over an
epoch; the images are tiny, since decoding real ones costs 20 times as much at any scale and would hide the rest. Rows
whose peer is `limit` compare with what the project promises.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.frame import Measure, less_is_better
from pipeline.batches.order import ShuffledOrder
from pipeline.batches.samples import Samples, Selection
from pipeline.shards.fingerprint import BITS
from pipeline.shards.index import INDEX_SCHEMA, write_index
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.tar import Sample, write_tar

MIMIC_IMAGES = 377_110
SIZES = (1_000, 10_000, 100_000, MIMIC_IMAGES, 1_000_000)
SAMPLES_PER_SHARD = 1000
SIDE, JPEG_QUALITY = 16, 95
READS, BATCH_SIZE = 20_480, 256
ROUNDS = 3
OPENING_SECONDS, FLAT = 2.0, 1.25
UNITS = {"open": "s", "memory": "MB", "epoch": "s", "epoch_memory": "MB", "sample": "CPU-us"}

Spent = dict[str, float]


def run() -> list[Measure]:
    """Make the indexes, then let a process per size and round open and read them."""
    with tempfile.TemporaryDirectory() as folder:
        indexes = {size: make_index(Path(folder) / str(size), size) for size in SIZES}
        rounds = [{size: spend(index) for size, index in indexes.items()} for _ in range(ROUNDS)]
    spent = {size: {name: median(each[size][name] for each in rounds) for name in UNITS} for size in SIZES}
    print_costs(spent)
    mimic, smallest, largest = spent[MIMIC_IMAGES], spent[SIZES[0]], spent[SIZES[-1]]
    return [
        less_is_better(f"open an index of {MIMIC_IMAGES:,}", mimic["open"], OPENING_SECONDS, "limit", "s"),
        less_is_better("cost per sample, 10^6 / 10^3", largest["sample"] / smallest["sample"], FLAT, "limit", "ratio"),
    ]


def make_index(folder: Path, size: int) -> Path:
    """Write an index of `size` samples over links to one tar, whose samples each of them repeats; return its path."""
    folder.mkdir()
    rng = np.random.Generator(np.random.Philox(key=size))
    rows, summary = write_tar(folder / "any.tar", draw_samples(rng))
    counts = np.diff([*range(0, size, SAMPLES_PER_SHARD), size])
    names = [f"train-{number:06d}.tar" for number in range(len(counts))]
    for name in names:
        (folder / name).hardlink_to(folder / "any.tar")
    table = pa.concat_tables([rows] * len(names)).slice(0, size)
    own = {
        "key": draw_keys(rng, size),
        "shard": pa.array(np.repeat(names, counts)),
        "fingerprint": draw_marks(rng, size),
    }
    for name, column in own.items():
        table = table.set_column(table.schema.get_field_index(name), INDEX_SCHEMA.field(name), column)
    shards = [replace(summary, shard=name, samples=int(count)) for name, count in zip(names, counts, strict=True)]
    write_index(folder / "index.parquet", table, shards)
    return folder / "index.parquet"


def draw_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Yield the samples of one tar, small images of noise."""
    for number in range(SAMPLES_PER_SHARD):
        jpeg = encode_jpeg(rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8), JPEG_QUALITY)
        labels = json.dumps({"patient": str(number)}).encode()
        name = f"{number:06d}"
        yield Sample(name, name, name, "PA", "train", SIDE, SIDE, jpeg, {"json": labels}, bytes(BITS // 8))


def draw_keys(rng: np.random.Generator, size: int) -> pa.Array:
    """Draw keys of 32 hexadecimal digits, as MIMIC-CXR's without their dashes."""
    digits = pa.py_buffer(rng.bytes(16 * size).hex().encode())
    return pa.StringArray.from_buffers(size, pa.py_buffer(np.arange(0, 32 * size + 1, 32, dtype=np.int32)), digits)


def draw_marks(rng: np.random.Generator, size: int) -> pa.Array:
    """Draw fingerprints."""
    kind = pa.binary(BITS // 8)
    return pa.Array.from_buffers(kind, size, [None, pa.py_buffer(rng.bytes(BITS // 8 * size))])


def spend(index: Path) -> Spent:
    """Open and read an index in a process of its own; return what that took."""
    command = [sys.executable, "-m", "benchmarks.scale", str(index)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def open_and_read(index: Path) -> None:
    """Open and read an index here and print what that took."""
    before, began = memory("VmRSS"), time.perf_counter()
    with Samples([index], Selection(("train",))) as samples:
        opened, held = time.perf_counter() - began, memory("VmHWM") - before
        before, began = memory("VmRSS"), time.perf_counter()
        order = ShuffledOrder(len(samples), seed=0)
        order.at(np.arange(1))
        drawn, permutation = time.perf_counter() - began, memory("VmRSS") - before
        began = time.process_time()
        for first in range(0, READS, BATCH_SIZE):
            _, positions = order.at(np.arange(first, first + BATCH_SIZE))
            for position in positions.tolist():
                samples.image(position)
        sample = (time.process_time() - began) / READS * 1e6
    spent = {"open": opened, "memory": held, "epoch": drawn, "epoch_memory": permutation, "sample": sample}
    sys.stdout.write(json.dumps(spent))


def memory(kind: str) -> float:
    """Return this process's resident memory, MB: `VmRSS` now, `VmHWM` at its peak."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1e3


def print_costs(spent: dict[int, Spent]) -> None:
    """Print what each size took."""
    table = Table(title="indexes by number of samples")
    for heading in ("samples", *(f"{name.replace('_', ' ')}, {unit}" for name, unit in UNITS.items())):
        table.add_column(heading, justify="right")
    for size, costs in spent.items():
        table.add_row(f"{size:,}", *(f"{costs[name]:.4g}" for name in UNITS))
    Console().print(table)


if __name__ == "__main__":
    open_and_read(Path(sys.argv[1]))

"""Faults injected into shards of real radiographs: what is found, and what would be trained on unnoticed.

300 faults of each kind in four tars of 32 radiographs (256 px, JPEG and JSON), each in one tar, which is then read in
three ways: by our reader, which compares every member it delivers with its checksum in the index; by our
verification of whole shards (the command `verify_shards`); and by webdataset with its default handler, every field
decoded as its `decode` does (PIL, json). A reader either stops, or delivers every sample exactly (a bit of a header
or of padding reaches nobody), or leaves samples out or changes some without a word. `no damage passes`: the first two.
`found`: what our verification names, against where webdataset stops. webdataset has no index, and so cannot know
that a tar was exchanged or rebuilt; what it then delivers is still not what the index's user asked for.

A peer that never succeeds counts as if it did once, so that ratios are finite; they are then lower bounds.
"""

import io
import itertools
import json
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import webdataset as wds
from PIL import Image
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.frame import Measure, more_often_is_better
from benchmarks.injection.injectors import INJECTORS, Injector, Tar, injected
from benchmarks.loading.cohort import repeat_radiographs
from pipeline.batches.samples import Samples, Selection
from pipeline.manifests.vocabulary import SPLITS
from pipeline.records.errors import UserError
from pipeline.records.randomness import keyed_generator
from pipeline.shards.index import read_shards, write_index
from pipeline.shards.tar import IMAGE_SUFFIX, write_tar
from pipeline.shards.verification import find_faults

FAULTS = 300
SHARDS, SAMPLES_PER_SHARD = 4, 32
LABELS = "json"
OUTCOMES = STOPPED, EXACT, LOST, CHANGED = "stopped", "exact", "lost", "changed"
"""The reader raised; it delivered every sample to the last bit; it left samples out in silence, or changed some."""

Content = tuple[bytes, bytes]
"""Pixels and labels of a sample."""
Delivered = dict[str, Content]
"""Content by key."""


@dataclass
class Tally:
    """Count what became of the faults of one kind."""

    found: int = 0
    """Faults that our verification names."""
    ours: Counter[str] = field(default_factory=Counter)
    """What our reader did, one of `OUTCOMES` for each fault."""
    theirs: Counter[str] = field(default_factory=Counter)
    """What webdataset did."""


def run() -> list[Measure]:
    """Inject all faults and end with an error unless each is found, and none passes our reader."""
    with TemporaryDirectory() as folder:
        index = write_corpus(Path(folder))
        tars = [Tar.read(index.parent / summary.shard) for summary in read_shards(index)]
        tallies = {kind: tally_faults(kind, injector, index, tars) for kind, injector in INJECTORS.items()}
    print_tallies(tallies)
    for kind, tally in tallies.items():
        missed, passed = FAULTS - tally.found, tally.ours[LOST] + tally.ours[CHANGED]
        if missed or passed:
            raise ArithmeticError(
                f"{kind}: of {FAULTS} faults verification missed {missed}, and {passed} passed reading"
            )
    return [measure for kind, tally in tallies.items() for measure in compare(kind, tally)]


def write_corpus(folder: Path) -> Path:
    """Write the shards and return their index."""
    radiographs = repeat_radiographs()
    written = [
        write_tar(folder / f"train-{number:06d}.tar", itertools.islice(radiographs, SAMPLES_PER_SHARD))
        for number in range(SHARDS)
    ]
    write_index(folder / "index.parquet", pa.concat_tables([rows for rows, _ in written]), [s for _, s in written])
    return folder / "index.parquet"


def tally_faults(kind: str, injector: Injector, index: Path, tars: list[Tar]) -> Tally:
    """Inject faults of one kind, one after another, and read the shards after each."""
    tally = Tally()
    ours, theirs = read_by_index(index), {tar.path: read_by_webdataset(tar.path) for tar in tars}
    for number in range(FAULTS):
        with injected(injector, tars, keyed_generator(0, kind, number)) as tar:
            tally.found += bool(find_faults(index))
            tally.ours[outcome(partial(read_by_index, index), ours, UserError)] += 1
            # Whatever webdataset and the decoders raise counts for them.
            tally.theirs[outcome(partial(read_by_webdataset, tar.path), theirs[tar.path], Exception)] += 1
    return tally


def outcome(read: Callable[[], Delivered], whole: Delivered, stops: type[Exception]) -> str:
    """Return whether a reader stopped, delivered what it delivers of whole shards, or something else in silence."""
    try:
        delivered = read()
    except stops:
        return STOPPED
    if delivered == whole:
        return EXACT
    return LOST if whole.keys() - delivered.keys() else CHANGED


def read_by_index(index: Path) -> Delivered:
    """Read every sample of the index by our reader."""
    with Samples([index], Selection(SPLITS)) as samples:
        samples.load_members()
        return {
            samples.key(position): (samples.image(position).tobytes(), samples.member(position, LABELS) or b"")
            for position in range(len(samples))
        }


def read_by_webdataset(tar: Path) -> Delivered:
    """Stream a tar as webdataset's documentation shows it."""
    with warnings.catch_warnings():
        # The stream of a tar that webdataset gives up is left to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        stream = wds.WebDataset(str(tar), shardshuffle=False).to_tuple("__key__", IMAGE_SUFFIX, LABELS)
        return {key: (decode_by_pil(image), json.dumps(json.loads(labels)).encode()) for key, image, labels in stream}


@lru_cache(maxsize=2 * SHARDS * SAMPLES_PER_SHARD)
def decode_by_pil(image: bytes) -> bytes:
    """Return the pixels of a JPEG; those of whole ones are decoded once."""
    return np.asarray(Image.open(io.BytesIO(image)).convert("L")).tobytes()


def compare(kind: str, tally: Tally) -> list[Measure]:
    """Compare what does not pass in silence, and what is found."""
    ours, theirs = (counts[STOPPED] + counts[EXACT] for counts in (tally.ours, tally.theirs))
    return [
        more_often_is_better(f"{kind}: no damage passes", ours, theirs, "webdataset", f"of {FAULTS}"),
        more_often_is_better(f"{kind}: found", tally.found, tally.theirs[STOPPED], "webdataset", f"of {FAULTS}"),
    ]


def print_tallies(tallies: dict[str, Tally]) -> None:
    """Print what became of the faults of each kind."""
    table = Table(title=f"{FAULTS} faults of each kind", box=SIMPLE, padding=(0, 1, 0, 0), collapse_padding=True)
    table.add_column("fault", no_wrap=True)
    shown = {"ours": (STOPPED, EXACT), "theirs": OUTCOMES}
    for heading in ("found", *(f"{reader}\n{name}" for reader, names in shown.items() for name in names)):
        table.add_column(heading, justify="right")
    for kind, tally in tallies.items():
        counts = [getattr(tally, reader)[name] for reader, names in shown.items() for name in names]
        table.add_row(kind, str(tally.found), *map(str, counts))
    Console().print(table)

"""Batches of uint8 images and their companions, the same for any number of threads."""

from collections.abc import Iterator, Mapping
from itertools import product, starmap

import numpy as np
from numpy.typing import NDArray

from pipeline.batches.assembly import Assembly, Read
from pipeline.batches.batch import IMAGES_ONLY, Companions, ImageBatch
from pipeline.batches.companions import SampleReader
from pipeline.batches.memory import BatchMemory
from pipeline.batches.mixing import MixedOrder
from pipeline.batches.order import WHOLE_BATCH, Order, Share, ShuffledOrder
from pipeline.batches.reading_ahead import read_ahead
from pipeline.batches.replacement import ReplacingReader
from pipeline.batches.samples import Samples
from pipeline.records.errors import UserError


class TrainingLoader:
    """Read the batches of a run; a batch depends on (seed, step) alone, so there is no state to save."""

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        seed: int,
        threads: int,
        companions: Companions = IMAGES_ONLY,
        read_size: int | None = None,
        mixing: Mapping[str, float] | None = None,
        share: Share = WHOLE_BATCH,
        pinned: bool = False,
        parts: int = 1,
    ) -> None:
        """Prepare to read.

        Args:
            samples: What is trained on. Damaged ones are replaced where they have a quarantine that tolerates them.
            batch_size: Images per step, over all processes.
            seed: Key of the order, and of replacements.
            threads: Threads that read and decode while batches are computed on; 0 to read between them.
            companions: What is read beside the images.
            read_size: Short side, pixels, that images need at least have; larger ones are decoded at the smallest
                eighth that has it. Unset, as stored.
            mixing: Relative number of images from each corpus, by its name; unset, each image appears once per epoch.
            share: Which part of each batch this process reads.
            pinned: Whether images, masks and gaze maps lie in page-locked memory, for batches that go to a GPU.
            parts: Batches that this process's part of a step's batch is cut into.

        Raises:
            UserError: A corpus has no samples, or no weight or too small a one, no sample has a companion, or there are
                fewer images in a batch than processes, or parts of all processes.
        """
        if batch_size < share.world * parts:
            taken = f" in each of {parts} parts" if parts > 1 else ""
            raise UserError(
                f"batch_size {batch_size} is less than one image for each of {share.world} processes{taken}"
            )
        self._batch_size = batch_size
        self._threads = threads
        self._shares = [Share(share.rank * parts + part, share.world * parts) for part in range(parts)]
        self._order = _order(samples, mixing, seed)
        self._reader = SampleReader(samples, companions, read_size)
        self._read = _reading(self._reader, seed)
        self._memory = BatchMemory(pinned)

    def batches(self, first_step: int, last_step: int) -> Iterator[ImageBatch]:
        """Yield this process's parts of the batches of steps first_step (inclusive) to last_step (exclusive).

        Each step gives as many as the loader has `parts`, in order. Close the iterator, or let it go, to end the
        reading early. Raises as `Samples.image` does; with a quarantine, `UserError` where more samples are damaged
        than it tolerates.
        """
        wanted = product(range(first_step, last_step), self._shares)
        yield from read_ahead(starmap(self._assembly, wanted), self._threads)

    def keys(self, step: int) -> list[str]:
        """Return `corpus/key` of every image of a step's batch, over all processes, as drawn: none is replaced."""
        _, positions = self._order.at(WHOLE_BATCH.places(step, self._batch_size))
        samples = self._reader.samples
        corpora = samples.corpus_numbers(positions)
        return [
            f"{samples.corpora[corpus]}/{samples.key(position)}"
            for corpus, position in zip(corpora.tolist(), positions.tolist(), strict=True)
        ]

    def _assembly(self, step: int, share: Share) -> Assembly:
        keys = self._order.at(share.places(step, self._batch_size))
        return Assembly(keys, self._reader, self._read, self._memory)


def fixed_batches(
    samples: Samples,
    batch_size: int,
    positions: NDArray[np.int64],
    threads: int,
    companions: Companions = IMAGES_ONLY,
    read_size: int | None = None,
    pinned: bool = False,
    required: bool = True,
) -> Iterator[ImageBatch]:
    """Yield the samples at the given positions in that order, all of epoch 0; the last batch may be smaller.

    Without threads each batch is read when it is asked for. Those that go to a GPU lie best in `pinned`, page-locked,
    memory. Nothing is replaced: raises as `Samples.image` does for any damage, whatever the samples' quarantine, and
    `UserError` where no sample has a companion, unless companions are not `required`.
    """
    reader, memory = SampleReader(samples, companions, read_size, required), BatchMemory(pinned)
    parts = (positions[start : start + batch_size] for start in range(0, len(positions), batch_size))
    assemblies = (Assembly((np.zeros_like(part), part), reader, _reading_all(reader), memory) for part in parts)
    yield from read_ahead(assemblies, threads)


def _order(samples: Samples, mixing: Mapping[str, float] | None, seed: int) -> Order:
    for corpus, size in zip(samples.corpora, samples.corpus_sizes, strict=True):
        if not size:
            raise UserError(
                f"corpus {corpus} has no sample of {samples.selection}; take it out of the run, or change the "
                "split and view settings"
            )
    if mixing is None:
        return ShuffledOrder(len(samples), seed)
    if sorted(mixing) != sorted(samples.corpora):
        raise UserError(
            f"mixing gives weights to {', '.join(mixing)}, where the samples are of {', '.join(samples.corpora)}; give "
            "one to each corpus and to no other"
        )
    return MixedOrder(samples.corpus_sizes, {corpus: mixing[corpus] for corpus in samples.corpora}, seed)


def _reading(reader: SampleReader, seed: int) -> Read:
    quarantine = reader.samples.quarantine
    return _reading_all(reader) if quarantine is None else ReplacingReader(reader, quarantine, seed).read


def _reading_all(reader: SampleReader) -> Read:
    return lambda _, position: (position, reader.read(position), ())

"""What takes the place of a damaged sample."""

from pipeline.batches.companions import SampleContent, SampleReader
from pipeline.batches.quarantine import Damage, Quarantine
from pipeline.batches.samples import DamagedSampleError
from pipeline.records.errors import WRITE_AGAIN, UserError
from pipeline.records.randomness import keyed_generator

_ATTEMPTS = 100


class ReplacingReader:
    """Read samples; where one is damaged, read another of its corpus instead.

    Which one follows from (seed, epoch, position) alone, so that batches stay the same for any number
    of threads and when a run continues. A replacement takes the draws of its own position, so it may
    repeat exactly one training example of that epoch.
    """

    def __init__(self, reader: SampleReader, quarantine: Quarantine, seed: int) -> None:
        """Prepare to replace what `reader` finds damaged, or `quarantine` lists."""
        self.reader = reader
        self.quarantine = quarantine
        self.seed = seed

    def read(self, epoch: int, position: int) -> tuple[int, SampleContent, tuple[Damage, ...]]:
        """Return the sample at a position, or its replacement; the position of what is returned comes first.

        Last comes what was found damaged on the way. It is not listed here: what is read ahead may never be used.

        Raises `UserError` where a shard is gone or cut, nothing but listed samples is found, or so many damaged ones
        that the quarantine, which then lists them, does not tolerate them.
        """
        candidate = position
        damaged: list[Damage] = []
        for attempt in range(_ATTEMPTS):
            found = self._try(candidate)
            if isinstance(found, SampleContent):
                return candidate, found, tuple(damaged)
            damaged += found
            if len(damaged) > self.quarantine.max_bad:
                self._list(damaged)
            corpus = self.reader.samples.corpus(position)
            generator = keyed_generator(self.seed, "replacement", epoch, position, attempt)
            candidate = int(generator.integers(corpus.start, corpus.stop))
        raise UserError(
            f"{_ATTEMPTS} samples of the corpus of {self.reader.samples.shard(position)} in a row are damaged; "
            f"{WRITE_AGAIN}"
        )

    def _list(self, damaged: list[Damage]) -> None:
        for damage in damaged:
            self.quarantine.add(*damage)

    def _try(self, position: int) -> SampleContent | list[Damage]:
        """Return a sample, or its damage, which is none to tell where it is listed already."""
        shard, key = self.reader.samples.shard_name(position), self.reader.samples.key(position)
        if (shard, key) in self.quarantine:
            return []
        try:
            return self.reader.read(position)
        except DamagedSampleError as damage:
            if not self.quarantine.max_bad:
                raise
            return [Damage(shard, key, damage.reason)]

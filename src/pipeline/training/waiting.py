"""How long a process waits for its images."""

from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from time import monotonic

from pipeline.batches.batch import ImageBatch


class Feed:
    """Hand out the parts of one step after the other, and know how long each step waited for its own."""

    def __init__(self, batches: Iterable[ImageBatch]) -> None:
        """Take from `batches`, which `close` ends early."""
        self.waited = 0.0
        """Seconds that the parts last taken were waited for, as far as they have been."""
        self._batches = timed(batches)

    def take(self, parts: int) -> Iterator[ImageBatch]:
        """Yield the next `parts` batches."""
        self.waited = 0.0
        for batch, waited in islice(self._batches, parts):
            self.waited += waited
            yield batch

    def close(self) -> None:
        """End the reading."""
        self._batches.close()


def timed(batches: Iterable[ImageBatch]) -> Generator[tuple[ImageBatch, float]]:
    """Yield each batch with the seconds it was waited for."""
    asked = monotonic()
    for batch in batches:
        yield batch, monotonic() - asked
        asked = monotonic()

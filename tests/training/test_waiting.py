from collections.abc import Iterator

import numpy as np
import pytest
from small_training import images

from pipeline.batches.batch import ImageBatch
from pipeline.training import waiting
from pipeline.training.waiting import Feed


def test_a_feed_knows_how_long_each_step_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    now, closed = [100.0], []
    monkeypatch.setattr(waiting, "monotonic", lambda: now[0])

    def late() -> Iterator[ImageBatch]:
        try:
            for seconds in range(1, 100):
                now[0] += seconds
                yield images(np.arange(seconds))
        finally:
            closed.append(True)

    feed, taken = Feed(late()), []
    for _ in range(2):
        for part in feed.take(2):
            now[0] += 50
            taken.append((len(part), feed.waited))
    assert taken == [(1, 1.0), (2, 3.0), (3, 3.0), (4, 7.0)]
    feed.close()
    assert closed

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.batches.loader import ImageBatch, TrainingLoader, fixed_batches
from pipeline.batches.samples import Samples
from pipeline.records.errors import UserError


def read(index: Path, threads: int, first: int, last: int) -> list[ImageBatch]:
    with Samples([index], ["train"]) as samples:
        return list(TrainingLoader(samples, 32, 5, seed=3, threads=threads).batches(first, last))


def test_batches_are_the_same_for_any_number_of_threads_and_any_start(made_index: Path) -> None:
    whole = read(made_index, threads=1, first=0, last=9)
    for threads, first in [(4, 0), (1, 4), (3, 8)]:
        for ours, theirs in zip(read(made_index, threads, first, 9), whole[first:], strict=True):
            assert torch.equal(ours.pixels, theirs.pixels)
            np.testing.assert_array_equal(ours.indices, theirs.indices)
            np.testing.assert_array_equal(ours.epochs, theirs.epochs)


def test_pixels_are_gray_bytes_of_the_asked_size(made_index: Path) -> None:
    batch = read(made_index, threads=2, first=0, last=1)[0]
    assert batch.pixels.dtype == torch.uint8
    assert batch.pixels.shape == (5, 1, 32, 32)


def test_reading_in_order_gives_every_sample_once(made_index: Path) -> None:
    with Samples([made_index], ["train", "val", "test"]) as samples:
        batches = list(fixed_batches(samples, 32, 7, np.arange(len(samples)), threads=2))
    assert np.concatenate([batch.indices for batch in batches]).tolist() == list(range(24))


def test_only_the_wanted_splits_are_read(made_index: Path) -> None:
    with Samples([made_index], ["val"]) as samples:
        assert {key[:3] for key in samples.keys} == {"002", "006", "010"}


@pytest.mark.parametrize("damage", ["bit flip", "zeroed block", "cut", "swapped"])
def test_a_damaged_shard_is_named_with_shard_and_key(made_index: Path, damage: str) -> None:
    shards = sorted(made_index.parent.glob("train-*.tar"))
    content = bytearray(shards[0].read_bytes())
    if damage == "bit flip":
        content[800] ^= 1
    elif damage == "zeroed block":
        content[600:900] = bytes(300)
    elif damage == "cut":
        content = content[:700]
    else:
        content = bytearray(shards[1].read_bytes())
    shards[0].write_bytes(content)
    with pytest.raises(UserError, match=r"train-000000\.tar: the bytes of sample '\d+_\d' are not those that were"):
        read(made_index, threads=2, first=0, last=3)


def test_a_shard_that_is_gone_is_named(made_index: Path) -> None:
    (made_index.parent / "train-000001.tar").unlink()
    with pytest.raises(UserError, match=r"train-000001\.tar is gone"):
        read(made_index, threads=2, first=0, last=3)


def test_a_split_without_samples_is_refused(made_index: Path) -> None:
    with pytest.raises(UserError, match="no sample of the splits dev"):
        Samples([made_index], ["dev"])

"""Samples that have what is asked for beside their image, and splits in which none has."""

from pathlib import Path

import numpy as np
import pytest
from shard_cohort import write_corpus

from pipeline.batches.batch import IMAGES_ONLY, Companions
from pipeline.batches.companions import absent_members, fullest_subset
from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.order import fixed_subset
from pipeline.batches.samples import Samples, Selection
from pipeline.records.errors import UserError

TRAIN, VAL = Selection(("train",)), Selection(("val",))
GAZE = Companions(gaze=True)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Index thirteen samples to train on, of which 0, 3, 6, 9 and 12 have gaze, and two to validate on without."""
    return write_corpus(tmp_path / "corpus", train=13, val=2)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_split_without_gaze_is_read_as_images_that_nobody_looked_at(index: Path, threads: int) -> None:
    with Samples([index], VAL) as samples:
        batches = list(fixed_batches(samples, 1, np.arange(2), threads, GAZE, required=False))
    for batch in batches:
        assert batch.gaze is not None
        assert batch.gazed is not None
        assert batch.gaze.pixels.shape == batch.images.pixels.shape
        assert not batch.gaze.pixels.any()
        assert batch.gazed.tolist() == [False]


def test_gaze_that_is_not_required_is_read_where_there_is_some(index: Path) -> None:
    with Samples([index], TRAIN) as samples:
        (batch,) = fixed_batches(samples, 5, np.arange(5), 0, GAZE, required=False)
    assert batch.gazed is not None
    assert batch.gazed.tolist() == [True, False, False, True, False]


def test_a_split_without_gaze_is_not_trained_on(index: Path) -> None:
    with Samples([index], VAL) as samples:
        with pytest.raises(UserError, match=r"has gaze\.png; write the shards"):
            TrainingLoader(samples, batch_size=2, seed=0, threads=0, companions=GAZE)
        with pytest.raises(UserError, match=r"has gaze\.png; write the shards"):
            next(fixed_batches(samples, 2, np.arange(2), 0, GAZE))


def test_what_no_sample_has_is_told(index: Path) -> None:
    wanted = Companions(masks=("lungs", "spine"), gaze=True, texts=("findings", "impression"), boxes=True)
    with Samples([index], TRAIN) as training, Samples([index], VAL) as validation:
        assert absent_members(training, wanted) == ["mask.spine.png"]
        assert absent_members(validation, wanted) == ["mask.spine.png", "impression.txt", "gaze.png"]
        assert absent_members(validation, IMAGES_ONLY) == []


@pytest.mark.parametrize("seed", range(5))
def test_samples_with_every_companion_are_chosen_first_and_filled_up_with_others(index: Path, seed: int) -> None:
    both = Companions(masks=("lungs",), gaze=True)
    with Samples([index], TRAIN) as samples:
        assert set(fullest_subset(samples, GAZE, 4, seed).tolist()) < {0, 3, 6, 9, 12}
        few = fullest_subset(samples, both, 6, seed).tolist()
        assert few[:3] == [0, 6, 12]
        assert len(set(few)) == 6
        assert few == fullest_subset(samples, both, 6, seed).tolist()
        assert sorted(fullest_subset(samples, GAZE, 99, seed).tolist()) == list(range(13))
    with Samples([index], VAL) as samples:
        assert fullest_subset(samples, GAZE, 9, seed).tolist() == [0, 1]


def test_the_companions_of_several_corpora_are_found_at_their_positions(index: Path, tmp_path: Path) -> None:
    second = write_corpus(tmp_path / "second", train=4, seed=1)
    with Samples([index, second], TRAIN) as samples:
        assert sorted(fullest_subset(samples, GAZE, 7, seed=0).tolist()) == [0, 3, 6, 9, 12, 13, 16]


def test_of_images_alone_those_are_chosen_that_a_run_validates_on(index: Path) -> None:
    with Samples([index], TRAIN) as samples:
        np.testing.assert_array_equal(fullest_subset(samples, IMAGES_ONLY, 5, seed=3), fixed_subset(13, 5, seed=3))

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.batches.mixing import BLOCK, MixedOrder, block_counts
from pipeline.records.errors import UserError

SEEDS = st.integers(0, 2**31)
MIXES = st.lists(st.tuples(st.integers(1, 60), st.floats(0.1, 10)), min_size=1, max_size=4)


def named(weights: Sequence[float]) -> dict[str, float]:
    return {f"corpus{number}": weight for number, weight in enumerate(weights)}


def corpus_of(positions: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    return np.searchsorted(np.cumsum(sizes), positions, side="right")


@given(MIXES, st.integers(0, 50), SEEDS)
def test_every_block_holds_each_corpus_by_its_weight(mix: list[tuple[int, float]], block: int, seed: int) -> None:
    sizes, weights = zip(*mix, strict=True)
    _, positions = MixedOrder(sizes, named(weights), seed).at(np.arange(block * BLOCK, (block + 1) * BLOCK))
    counts = np.bincount(corpus_of(positions, sizes), minlength=len(sizes))
    np.testing.assert_array_equal(counts, block_counts(named(weights)))
    assert (np.abs(counts - np.array(weights) / sum(weights) * BLOCK) < 1).all()


@given(MIXES, SEEDS)
def test_every_image_appears_once_in_each_epoch_of_its_corpus(mix: list[tuple[int, float]], seed: int) -> None:
    sizes, weights = zip(*mix, strict=True)
    epochs, positions = MixedOrder(sizes, named(weights), seed).at(np.arange(2 * BLOCK))
    corpora = corpus_of(positions, sizes)
    for corpus, size in enumerate(sizes):
        own, within = epochs[corpora == corpus], positions[corpora == corpus] - sum(sizes[:corpus])
        assert (np.diff(own) >= 0).all()
        for epoch in range(len(own) // size):
            assert sorted(within[own == epoch]) == list(range(size))
        assert len(set(within[own == len(own) // size])) == len(own) % size


@given(MIXES, st.integers(0, 3 * BLOCK), st.integers(1, 300), SEEDS)
def test_a_place_can_be_asked_for_without_those_before(
    mix: list[tuple[int, float]], start: int, count: int, seed: int
) -> None:
    sizes, weights = zip(*mix, strict=True)
    places = np.arange(start, start + count)
    everything = MixedOrder(sizes, named(weights), seed).at(np.arange(start + count))
    for ours, theirs in zip(MixedOrder(sizes, named(weights), seed).at(places), everything, strict=True):
        np.testing.assert_array_equal(ours, theirs[start:])


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8))
def test_places_are_dealt_out_whole_and_in_the_order_of_the_weights(weights: list[float]) -> None:
    assume(min(weights) / sum(weights) > 1 / BLOCK)
    counts = block_counts(named(weights))
    assert counts.sum() == BLOCK
    heavier = np.greater.outer(weights, weights)
    assert (np.greater_equal.outer(counts, counts) | ~heavier).all()


def test_only_relative_weights_count() -> None:
    np.testing.assert_array_equal(block_counts(named([1, 2])), block_counts(named([50, 100])))
    assert block_counts(named([1, 1, 1])).tolist() == [334, 333, 333]


def test_corpora_are_spread_over_a_block_and_blocks_differ() -> None:
    order = MixedOrder((10, 10), named([1, 1]), seed=0)
    corpora = [order.at(np.arange(block * BLOCK, (block + 1) * BLOCK))[1] >= 10 for block in range(2)]
    assert (corpora[0] != corpora[1]).any()
    assert 30 < corpora[0][:100].sum() < 70


def test_corpora_of_one_size_are_shuffled_apart() -> None:
    _, positions = MixedOrder((100, 100), named([1, 1]), seed=0).at(np.arange(BLOCK))
    first, second = positions[positions < 100][:100], positions[positions >= 100][:100] - 100
    assert (first != second).any()


def test_a_weight_without_a_place_is_refused() -> None:
    with pytest.raises(UserError, match=r"mixing weight 0\.001 of corpus nih is below one image in 1000"):
        MixedOrder((10, 10), {"mimic": 10, "nih": 0.001}, seed=0)

"""Corpora mixed by weight, each shuffled and repeated on its own."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.batches.order import ImageKeys, ShuffledOrder
from pipeline.records.errors import UserError
from pipeline.records.randomness import keyed_generator

BLOCK = 1_000
"""Places of the stream that hold the corpora in exactly the proportions of the mix."""


class MixedOrder:
    """Draw each image from a corpus with a given share, and from that corpus in shuffled epochs of its own.

    The stream is cut into blocks of `BLOCK` places. Every block holds the same number of images of each
    corpus, in an order of its own, so the corpus at a place, and how many of its images came before,
    follow from the place alone: nothing is counted along the way, and any place can be resumed from.
    """

    def __init__(self, corpus_sizes: Sequence[int], weights: Mapping[str, float], seed: int) -> None:
        """Mix corpora of some sizes, none 0, by the weight of each name, in the order in which their samples stand.

        Raises `UserError` where a weight is too small for one place in a block.
        """
        self.counts = block_counts(weights)
        """Images of each corpus in a block, [C]."""
        self._first = np.concatenate([[0], np.cumsum(corpus_sizes)[:-1]])
        self._corpora = [
            ShuffledOrder(size, seed, f"order of corpus {number}") for number, size in enumerate(corpus_sizes)
        ]

        @lru_cache(maxsize=2)  # a batch mostly lies in one block or two
        def arrangement(block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            return _arrange(self.counts, seed, block)

        self._arrangement = arrangement

    def at(self, places: NDArray[np.int64]) -> ImageKeys:
        """Return epoch (of its own corpus) and sample position at some places, both [B]."""
        corpora, turns = self._turns(places)
        epochs, positions = np.empty_like(places), np.empty_like(places)
        for corpus in np.unique(corpora):
            chosen = corpora == corpus
            epochs[chosen], within = self._corpora[corpus].at(turns[chosen])
            positions[chosen] = self._first[corpus] + within
        return epochs, positions

    def _turns(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the corpus at each place, and how many images of it come before, both [B]."""
        blocks, within = np.divmod(places, BLOCK)
        corpora, turns = np.empty_like(places), np.empty_like(places)
        for block in np.unique(blocks):
            chosen = blocks == block
            arranged, ranks = self._arrangement(int(block))
            corpora[chosen] = arranged[within[chosen]]
            turns[chosen] = block * self.counts[corpora[chosen]] + ranks[within[chosen]]
        return corpora, turns


def block_counts(weights: Mapping[str, float]) -> NDArray[np.int64]:
    """Cut a block's places by weight, rounding by largest remainder, [C]; ties go to the earlier corpus.

    Raises `UserError` where a weight rounds to no place.
    """
    relative = np.array(list(weights.values()), dtype=np.float64)
    exact = relative / relative.sum() * BLOCK
    counts: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: BLOCK - counts.sum()]] += 1
    if (counts == 0).any():
        corpus = list(weights)[counts.argmin()]
        raise UserError(
            f"mixing weight {weights[corpus]:g} of corpus {corpus} is below one image in {BLOCK}; raise it, or take "
            "the corpus out of the run"
        )
    return counts


def _arrange(counts: NDArray[np.int64], seed: int, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the corpus at each place of a block, and its rank among the block's images of that corpus."""
    corpora = keyed_generator(seed, "mixing", block).permutation(np.repeat(np.arange(len(counts)), counts))
    ranks = np.empty_like(corpora)
    for corpus, count in enumerate(counts):
        ranks[corpora == corpus] = np.arange(count)
    return corpora, ranks

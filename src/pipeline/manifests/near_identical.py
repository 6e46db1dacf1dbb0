"""Find pairs of near-identical fingerprints in two large sets, exactly and without comparing all with all."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint8]
"""[N, B] fingerprints of B bytes each."""

Places = NDArray[np.intp]

_BLOCK = 1 << 21  # candidate pairs held in memory at a time
_WIDEST_WORD = 20  # bits; a table of all values of a wider word would not fit the processor's cache
_CHANGED_BITS = 2  # per word; more would mean more guesses than candidates they save


class NearPairs(NamedTuple):
    """Hold P pairs, sorted by their first place, then their second."""

    first: Places
    """[P] places in the first set."""
    second: Places
    """[P] places in the second set."""
    distance: NDArray[np.intp]
    """[P] number of bits that differ."""


def near_pairs(first: Fingerprints, second: Fingerprints, distance: int) -> NearPairs:
    """Return every pair that differs in at most `distance` bits.

    Fingerprints are cut into so many words that two of them within the distance must have a word
    that differs in at most two bits (pigeonhole); pairs that share a value of a word, or of one
    two bits away, are the only ones compared. The time grows with N1 * N2 / 2^20 for random
    fingerprints.
    """
    if len(first) > len(second):  # the smaller set guesses, the larger one is sorted
        swapped = near_pairs(second, first, distance)
        return _sorted(swapped.second, swapped.first, swapped.distance)
    found = [_compare(first, second, *places, distance) for places in _candidates(first, second, distance)]
    if not found:
        return NearPairs(*(np.empty(0, dtype=np.intp) for _ in NearPairs._fields))
    return _sorted(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _candidates(first: Fingerprints, second: Fingerprints, distance: int) -> Iterator[tuple[Places, Places]]:
    """Yield places of pairs that have a word in common, or nearly so; a pair may come more than once."""
    widths = _widths(first, distance)
    for ours, theirs, width in zip(_words(first, widths), _words(second, widths), widths, strict=True):
        by_value = np.argsort(theirs, kind="stable")
        starts = np.searchsorted(theirs[by_value], np.arange((1 << width) + 1))
        for change in _changes(width):
            guesses = ours ^ change
            begin, counts = starts[guesses], starts[guesses + 1] - starts[guesses]
            for block in _blocks(counts):
                yield block.start + _repeated(counts[block]), by_value[_spans(begin[block], counts[block])]


def _widths(fingerprints: Fingerprints, distance: int) -> list[int]:
    """Return the bits of each word: as few words as the pigeonhole allows, all of about equal width."""
    bits = 8 * fingerprints.shape[1]
    words = min(bits, max(distance // (_CHANGED_BITS + 1) + 1, -(-bits // _WIDEST_WORD)))
    return [bits * (word + 1) // words - bits * word // words for word in range(words)]


def _words(fingerprints: Fingerprints, widths: list[int]) -> Iterator[NDArray[np.intp]]:
    """Yield the words of all fingerprints, one [N] after the other, as numbers."""
    bits = np.unpackbits(fingerprints, axis=1)
    for word in np.split(bits, np.cumsum(widths)[:-1], axis=1):
        yield word.astype(np.intp) @ (1 << np.arange(word.shape[1])[::-1])


def _changes(width: int) -> Iterator[int]:
    """Yield every pattern of at most `_CHANGED_BITS` bits in a word."""
    for changed in range(_CHANGED_BITS + 1):
        for places in combinations(range(width), changed):
            yield sum(1 << place for place in places)


def _blocks(counts: Places) -> Iterator[slice]:
    """Cut [N] counts into runs that sum to about `_BLOCK`, leaving out an end without candidates."""
    total = np.cumsum(counts)
    start = 0
    while start < len(counts) and total[-1] > (done := total[start] - counts[start]):
        stop = max(start + 1, int(np.searchsorted(total, done + _BLOCK, side="right")))
        yield slice(start, stop)
        start = stop


def _repeated(counts: Places) -> Places:
    """Return each place as often as its count says."""
    return np.repeat(np.arange(len(counts)), counts)


def _spans(begin: Places, counts: Places) -> Places:
    """Return the numbers of all spans [begin, begin + count), one after the other."""
    before = np.cumsum(counts) - counts
    return np.asarray(np.arange(counts.sum()) + np.repeat(begin - before, counts), dtype=np.intp)


def _compare(
    first: Fingerprints, second: Fingerprints, ours: Places, theirs: Places, distance: int
) -> tuple[Places, Places, NDArray[np.intp]]:
    """Keep the candidates that are within the distance."""
    differing = np.bitwise_count(first[ours] ^ second[theirs]).sum(axis=1, dtype=np.intp)
    near = differing <= distance
    return ours[near], theirs[near], differing[near]


def _sorted(first: Places, second: Places, distance: NDArray[np.intp]) -> NearPairs:
    """Put pairs in order, each once."""
    order = np.lexsort((second, first))
    pairs = NearPairs(first[order], second[order], distance[order])
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(pairs.first) != 0) | (np.diff(pairs.second) != 0)
    return NearPairs(*(column[new] for column in pairs))

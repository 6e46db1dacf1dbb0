"""Random numbers that depend on what they are for, never on what was drawn before."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def keyed_generator(seed: int, purpose: str, *index: int | str) -> np.random.Generator:
    """Return the generator of (seed, purpose, index): equal arguments give equal draws on every machine.

    Generators of different keys are independent, and none has a state that would have to be saved.
    Give each quantity a purpose of its own, so that adding a new one moves no other.
    """
    name = "/".join(str(part) for part in (seed, purpose, *index))
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))


def keyed_uniforms(
    seed: int, purpose: str, epochs: NDArray[np.int64], indices: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Return uniform numbers [B, count] in [0, 1), of which row b depends on (seed, purpose, epochs[b], indices[b]).

    Rows are the same in any batch, and columns the same for any `count`. The key is a hash of seed and purpose, the
    counter is index, epoch and number of the block (Salmon et al. 2011); epochs and blocks stay below 2**32.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
    row, epoch = indices.astype(np.uint64)[:, np.newaxis], epochs.astype(np.uint64)[:, np.newaxis]
    blocks = np.arange((count + 1) // 2, dtype=np.uint64)
    words = philox4x32((row & _LOW, row >> _32, epoch, blocks), key)
    return _unit_intervals(words)[:, :count]


_Words = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]

_32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10


def philox4x32(counter: _Words, key: tuple[int, int]) -> _Words:
    """Return the four 32-bit words that Philox4x32-10 makes of each counter, held in uint64.

    The words of the counter may be of any shapes that broadcast (Salmon et al. 2011, table 2; Random123).
    """
    first, second, third, fourth = counter
    for turn in range(_ROUNDS):
        keys = [np.uint64((word + turn * step) & 0xFFFFFFFF) for word, step in zip(key, _WEYL, strict=True)]
        product, other = first * _MULTIPLIERS[0], third * _MULTIPLIERS[1]
        first, second = (other >> _32) ^ (second ^ keys[0]), other & _LOW
        third, fourth = (product >> _32) ^ (fourth ^ keys[1]), product & _LOW
    return first, second, third, fourth


def _unit_intervals(words: _Words) -> NDArray[np.float64]:
    """Turn words [B, blocks] into numbers [B, 2 * blocks], of 53 bits each."""
    pairs = [((high << _32) | low) >> np.uint64(11) for high, low in (words[:2], words[2:])]
    numbers: NDArray[np.float64] = np.stack(pairs, axis=-1).reshape(len(pairs[0]), -1) * 2.0**-53
    return numbers

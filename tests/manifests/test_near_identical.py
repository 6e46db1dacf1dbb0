import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.manifests import near_identical
from pipeline.manifests.near_identical import near_pairs


def brute_force(first: NDArray[np.uint8], second: NDArray[np.uint8], distance: int) -> list[tuple[int, int, int]]:
    return [
        (i, j, apart)
        for i, ours in enumerate(first)
        for j, theirs in enumerate(second)
        if (apart := sum((int(a) ^ int(b)).bit_count() for a, b in zip(ours, theirs, strict=True))) <= distance
    ]


def found(first: NDArray[np.uint8], second: NDArray[np.uint8], distance: int) -> list[tuple[int, int, int]]:
    pairs = near_pairs(first, second, distance)
    return [(int(i), int(j), int(apart)) for i, j, apart in zip(*pairs, strict=True)]


def noisy_copies(seed: int, originals: int, copies: int, changed: int, n_bytes: int) -> NDArray[np.uint8]:
    """Return copies of a few fingerprints with some bits turned, so that all distances occur."""
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2, (originals, 8 * n_bytes), dtype=np.uint8)[np.arange(copies) % originals]
    turned = generator.random(bits.shape) < changed / bits.shape[1]
    return np.packbits(bits ^ turned, axis=1)


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(0, 25), st.integers(0, 25)),
    distance=st.integers(0, 70),
    changed=st.integers(0, 80),
)
def test_the_pairs_are_those_of_comparing_all_with_all(
    seed: int, sizes: tuple[int, int], distance: int, changed: int
) -> None:
    prints = noisy_copies(seed, 3, sum(sizes), changed, 32)
    first, second = prints[: sizes[0]], prints[sizes[0] :]
    assert found(first, second, distance) == brute_force(first, second, distance)


@given(seed=st.integers(0, 2**32 - 1), n_bytes=st.integers(1, 9), distance=st.integers(0, 20))
def test_fingerprints_of_any_length_are_compared(seed: int, n_bytes: int, distance: int) -> None:
    prints = noisy_copies(seed, 2, 18, 8, n_bytes)
    assert found(prints[:6], prints[6:], distance) == brute_force(prints[:6], prints[6:], distance)


def test_many_candidates_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_identical, "_BLOCK", 7)
    prints = noisy_copies(0, 1, 40, 4, 32)
    assert found(prints[:20], prints[20:], 9) == brute_force(prints[:20], prints[20:], 9)

"""Random numbers that belong to a key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.records.randomness import keyed_generator, keyed_uniforms, philox4x32


def test_the_same_key_gives_the_same_numbers() -> None:
    assert keyed_generator(3, "pose", 7, 1).random() == keyed_generator(3, "pose", 7, 1).random()


def test_every_part_of_the_key_matters() -> None:
    keys = [
        (0, "pose", (7, 1)),
        (1, "pose", (7, 1)),
        (0, "dose", (7, 1)),
        (0, "pose", (71,)),
        (0, "pose", (7, 2)),
    ]
    first = {keyed_generator(seed, purpose, *index).random() for seed, purpose, index in keys}
    assert len(first) == len(keys)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_the_known_answers_of_random123_come_out(counter: str, key: str, expected: str) -> None:
    first, second, third, fourth = (np.array([int(word, 16)], dtype=np.uint64) for word in counter.split())
    low, high = (int(word, 16) for word in key.split())
    words = philox4x32((first, second, third, fourth), (low, high))
    assert " ".join(f"{int(word[0]):08x}" for word in words) == expected


@given(
    rows=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**62)), min_size=1, max_size=8),
    count=st.integers(1, 9),
    more=st.integers(0, 5),
    seed=st.integers(0, 2**64),
)
def test_a_row_belongs_to_its_epoch_and_index_whatever_stands_beside_it(
    rows: list[tuple[int, int]], count: int, more: int, seed: int
) -> None:
    epochs, indices = np.array(rows, dtype=np.int64).T
    drawn = keyed_uniforms(seed, "mask", epochs, indices, count)
    wider = keyed_uniforms(seed, "mask", epochs[::-1], indices[::-1], count + more)
    np.testing.assert_array_equal(wider[::-1, :count], drawn)
    np.testing.assert_array_equal(keyed_uniforms(seed, "mask", epochs[:1], indices[:1], count), drawn[:1])
    assert drawn.shape == (len(rows), count)
    assert drawn.min() >= 0
    assert drawn.max() < 1


def test_seed_purpose_epoch_index_and_column_each_draw_anew() -> None:
    one, two = np.array([1]), np.array([2])
    drawn = [
        keyed_uniforms(0, "crop", one, two, 2),
        keyed_uniforms(1, "crop", one, two, 2),
        keyed_uniforms(0, "flip", one, two, 2),
        keyed_uniforms(0, "crop", two, two, 2),
        keyed_uniforms(0, "crop", one, one, 2),
        keyed_uniforms(0, "crop", one, two + 2**32, 2),
    ]
    assert np.unique(np.concatenate(drawn)).size == 12


def test_keyed_numbers_are_uniform_and_neighbours_unrelated() -> None:
    indices = np.arange(4000)
    drawn = keyed_uniforms(0, "crop", np.zeros_like(indices), indices, 4)
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 0.001
    correlations = np.corrcoef(np.column_stack([drawn[:-1], drawn[1:]]).T)
    assert np.abs(correlations[~np.eye(8, dtype=bool)]).max() < 0.06

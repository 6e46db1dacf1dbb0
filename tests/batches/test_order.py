import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batches.order import batch_positions, epoch_order, fixed_subset

SMALL = st.integers(1, 40)


@given(SMALL, SMALL, st.integers(0, 3), st.integers(0, 2**31))
def test_every_image_appears_once_per_epoch_whatever_the_batch(samples: int, batch: int, epoch: int, seed: int) -> None:
    steps = range(epoch * samples // batch, -(-(epoch + 1) * samples // batch))
    positions = [batch_positions(step, batch, samples, seed) for step in steps]
    epochs = np.concatenate([epochs for epochs, _ in positions])
    indices = np.concatenate([indices for _, indices in positions])
    assert sorted(indices[epochs == epoch]) == list(range(samples))


@given(SMALL, st.integers(0, 5), st.integers(0, 2**31))
def test_the_order_depends_on_seed_and_epoch_alone(samples: int, epoch: int, seed: int) -> None:
    first = epoch_order(samples, seed, epoch).copy()
    epoch_order.cache_clear()
    np.testing.assert_array_equal(epoch_order(samples, seed, epoch), first)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


@given(st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**31))
def test_a_fixed_subset_is_drawn_without_repeats_and_stays_the_same(samples: int, count: int, seed: int) -> None:
    subset = fixed_subset(samples, count, seed)
    assert len(set(subset.tolist())) == min(samples, count)
    assert 0 <= subset.min() <= subset.max() < samples
    np.testing.assert_array_equal(fixed_subset(samples, count, seed), subset)


def test_a_fixed_subset_comes_from_all_corpora_of_a_mix() -> None:
    subset = fixed_subset(1_000, 100, seed=0)
    assert 20 < (subset < 500).sum() < 80

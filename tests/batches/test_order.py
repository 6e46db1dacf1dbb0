import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batches.order import Share, ShuffledOrder, fixed_subset
from pipeline.records.randomness import keyed_generator

SMALL = st.integers(1, 40)
SEEDS = st.integers(0, 2**31)


@given(SMALL, SMALL, st.integers(1, 7), st.integers(0, 3), SEEDS)
def test_every_image_appears_once_per_epoch_whatever_the_batch_and_the_number_of_processes(
    samples: int, batch: int, world: int, epoch: int, seed: int
) -> None:
    order = ShuffledOrder(samples, seed)
    steps = range(epoch * samples // batch, -(-(epoch + 1) * samples // batch))
    read = [order.at(Share(rank, world).places(step, batch)) for rank in range(world) for step in steps]
    epochs = np.concatenate([epochs for epochs, _ in read])
    positions = np.concatenate([positions for _, positions in read])
    assert sorted(positions[epochs == epoch]) == list(range(samples))


@given(st.integers(0, 1000), st.integers(1, 60), st.integers(1, 12))
def test_shares_are_even_and_make_the_batch_in_order(step: int, batch: int, world: int) -> None:
    parts = [Share(rank, world).places(step, batch) for rank in range(world)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(step * batch, (step + 1) * batch))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(SMALL, SMALL, st.lists(st.integers(0, 200), max_size=5), SEEDS)
def test_the_order_depends_on_seed_and_place_alone(samples: int, batch: int, others: list[int], seed: int) -> None:
    places = np.arange(3 * batch, 4 * batch)
    order = ShuffledOrder(samples, seed)
    for other in others:
        order.at(np.array([other]))
    for ours, theirs in zip(order.at(places), ShuffledOrder(samples, seed).at(places), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_epoch_is_the_permutation_of_its_key() -> None:
    _, positions = ShuffledOrder(1000, seed=4).at(np.arange(2000, 3000))
    np.testing.assert_array_equal(positions, keyed_generator(4, "order", 2).permutation(1000))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    places = np.arange(50)
    orders = {tuple(ShuffledOrder(50, seed).at(places + 50 * epoch)[1]) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


@given(st.integers(1, 200), st.integers(1, 250), SEEDS)
def test_a_fixed_subset_is_drawn_without_repeats_and_stays_the_same(samples: int, count: int, seed: int) -> None:
    subset = fixed_subset(samples, count, seed)
    assert len(set(subset.tolist())) == min(samples, count)
    assert 0 <= subset.min() <= subset.max() < samples
    np.testing.assert_array_equal(fixed_subset(samples, count, seed), subset)


def test_a_fixed_subset_comes_from_all_corpora_of_a_mix() -> None:
    subset = fixed_subset(1_000, 100, seed=0)
    assert 20 < (subset < 500).sum() < 80

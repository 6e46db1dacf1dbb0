"""Batches over processes and parts: whole, in order, within what a device holds."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.batches.order import Share
from pipeline.records.errors import UserError
from pipeline.training.batching import BatchPlan, plan_batch


def part_sizes(plan: BatchPlan) -> list[int]:
    parts = plan.world * plan.accumulation
    places = [Share(part, parts).places(3, plan.batch_size) for part in range(parts)]
    np.testing.assert_array_equal(np.concatenate(places), 3 * plan.batch_size + np.arange(plan.batch_size))
    return list(map(len, places))


@given(st.integers(1, 300), st.integers(1, 17), st.integers(2, 64))
def test_parts_fill_the_batch_and_no_device_is_given_more_than_it_holds(batch: int, world: int, device: int) -> None:
    assume(batch >= world)
    plan = plan_batch(batch, world, device)
    sizes = part_sizes(plan)
    assert max(sizes) == plan.device_batch <= device
    assert min(sizes) >= 1
    assert plan.accumulation == 1 or -(-batch // (world * (plan.accumulation - 1))) > device


@given(st.integers(1, 300), st.integers(1, 17))
def test_where_the_device_is_not_limited_each_process_takes_its_part_at_once(batch: int, world: int) -> None:
    assume(batch >= world)
    plan = plan_batch(batch, world, device_batch=0)
    assert plan == BatchPlan(batch, max(part_sizes(plan)), 1, world)


def test_one_image_at_a_time_needs_parts_without_a_remainder() -> None:
    assert plan_batch(6, 2, device_batch=1) == BatchPlan(6, 1, 3, 2)
    with pytest.raises(UserError, match=r"batch_size 5 .* raise device_batch to 2, or make batch_size a multiple of 2"):
        plan_batch(5, 2, device_batch=1)


def test_a_process_without_an_image_is_refused() -> None:
    with pytest.raises(UserError, match="batch_size 3 is less than one image for each of 4 processes"):
        plan_batch(3, 4, device_batch=0)

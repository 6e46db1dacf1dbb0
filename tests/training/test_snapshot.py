"""Copies of a state: equal to it, and of another memory."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from saving_processes import same, state_of

from pipeline.training.snapshot import Snapshot

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool)
TENSORS = st.builds(
    lambda shape, dtype: torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from(DTYPES),
)
STATES = st.dictionaries(
    st.text(),
    st.recursive(
        TENSORS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.integers() | st.text(), inner, max_size=3)
        ),
    ),
    max_size=4,
)


@given(st.lists(STATES, min_size=1, max_size=3))
def test_a_copy_equals_its_original_whatever_was_copied_before(states: list[dict[str, Any]]) -> None:
    snapshot = Snapshot()
    for state in states:
        assert same(snapshot.take(state), state)


def test_a_copy_does_not_follow_its_original() -> None:
    state = state_of(5, 100)
    copied = Snapshot().take(state)
    state["task"]["weight"].add_(1)
    state["optimizer"]["param_groups"][0]["lr"] = 7.0
    assert same(copied, state_of(5, 100))


def test_buffers_are_kept_from_copy_to_copy_and_follow_shapes() -> None:
    snapshot = Snapshot()
    places = [snapshot.take(state_of(step, size))["task"]["weight"].data_ptr() for step, size in ((1, 9), (2, 9))]
    assert places[0] == places[1]
    assert same(snapshot.take(state_of(3, 20)), state_of(3, 20))


def test_a_view_is_copied_without_the_memory_that_it_looks_at() -> None:
    view = torch.arange(10_000.0).reshape(100, 100).t()[:2]
    copied = Snapshot().take({"view": view})["view"]
    assert torch.equal(copied, view)
    assert copied.untyped_storage().nbytes() == 4 * view.numel()


def test_parameters_are_copied_without_their_graph() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    assert not Snapshot().take({"weight": parameter})["weight"].requires_grad


def test_what_could_not_be_read_back_is_refused_by_its_place() -> None:
    with pytest.raises(TypeError, match=r"a set at averages\.1\.seen"):
        Snapshot().take({"averages": [0, {"seen": {1, 2}}]})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_s_tensors_are_copied_to_pinned_memory_when_the_call_returns() -> None:
    weights = torch.randn(4096, 4096, device="cuda")
    snapshot = Snapshot()
    for _ in range(3):
        expected = (weights @ weights).cpu()
        product = weights @ weights
        copied = snapshot.take({"product": product, "place": product.device.index})
        product.zero_()
        assert copied["product"].is_pinned()
        assert torch.equal(copied["product"], expected)

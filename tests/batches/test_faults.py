"""Faults: whatever happens to a shard is found by verification, and never delivered by reading."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from benchmarks.injection.injectors import INJECTORS, Tar, injected
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_cohort import members, write_corpus

from pipeline.batches.samples import Samples, Selection
from pipeline.records.errors import UserError
from pipeline.shards.index import read_shards
from pipeline.shards.verification import find_faults

NAMES = sorted({name for number in range(6) for name in members(number)})
EXAMPLES = 20
MAYBE_BETWEEN_SAMPLES = {"bit anywhere", "4 KiB zeroed"}
"""Faults that may touch nothing but headers and padding."""

Delivered = list[tuple[bytes, ...]]
"""Pixels and other members of every sample."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("faults") / "shards")


@pytest.fixture(scope="module")
def tars(index: Path) -> list[Tar]:
    return [Tar.read(index.parent / summary.shard) for summary in read_shards(index)]


def read_all(index: Path) -> Delivered:
    with Samples([index], Selection(("train",))) as samples:
        samples.load_members()
        return [
            (samples.image(position).tobytes(), *(samples.member(position, name) or b"" for name in NAMES))
            for position in range(len(samples))
        ]


@pytest.fixture(scope="module")
def whole(index: Path) -> Delivered:
    return read_all(index)


@pytest.mark.parametrize("kind", INJECTORS)
@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**32))
def test_a_fault_is_found_and_never_delivered(
    kind: str, seed: int, index: Path, tars: list[Tar], whole: Delivered
) -> None:
    with injected(INJECTORS[kind], tars, np.random.default_rng(seed)) as tar:
        assert {fault.shard for fault in find_faults(index)} == {tar.path.name}
        with contextlib.suppress(UserError):
            assert read_all(index) == whole
    assert find_faults(index) == []


@pytest.mark.parametrize("kind", sorted(INJECTORS.keys() - MAYBE_BETWEEN_SAMPLES))
@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**32))
def test_a_fault_inside_a_sample_stops_reading_and_the_shard_is_named(
    kind: str, seed: int, index: Path, tars: list[Tar]
) -> None:
    with (
        injected(INJECTORS[kind], tars, np.random.default_rng(seed)) as tar,
        pytest.raises(UserError, match=tar.path.name),
    ):
        read_all(index)

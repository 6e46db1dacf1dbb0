"""States on disk: what is damaged is named and passed over, and a folder has one owner."""

import json
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saving_processes import FINGERPRINT, own, own_and_fork, running, same, state_of

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.training.state import StateFolder

NUMBERS = 1_000


def path_of(states: StateFolder, step: int) -> Path:
    return states.folder / f"step-{step:09d}.pt"


@pytest.fixture
def states(tmp_path: Path) -> StateFolder:
    """Return a folder with the states of steps 100 and 200."""
    states = StateFolder(tmp_path / "state", FINGERPRINT)
    with states.owned():
        for step in (100, 200):
            states.save(step, state_of(step, NUMBERS))
    return states


def assert_newest(states: StateFolder, step: int) -> None:
    newest = states.newest()
    assert newest is not None
    assert newest[0] == step
    assert same(newest[1], state_of(step, NUMBERS))


def test_a_new_folder_has_no_state(tmp_path: Path) -> None:
    states = StateFolder(tmp_path / "state", FINGERPRINT)
    assert states.newest() is None
    assert not states.has_any()


def test_the_newest_state_comes_back_as_it_was_saved(states: StateFolder) -> None:
    assert states.has_any()
    assert_newest(states, 200)


def test_a_receipt_holds_the_digest_that_sha256sum_would_print(states: StateFolder) -> None:
    receipt = json.loads(path_of(states, 200).with_suffix(".json").read_text())
    content = path_of(states, 200)
    assert receipt == {"step": 200, "sha256": file_digest(content), "bytes": content.stat().st_size}


def test_the_newest_two_states_are_kept(states: StateFolder) -> None:
    for step in (300, 450):
        states.save(step, state_of(step, NUMBERS))
    assert sorted(path.name for path in states.folder.iterdir()) == [
        "step-000000300.json",
        "step-000000300.pt",
        "step-000000450.json",
        "step-000000450.pt",
    ]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size - 1),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "another state's": lambda path: path.write_bytes(path_of_older(path).read_bytes()),
    "receipt missing": lambda path: path.with_suffix(".json").unlink(),
    "receipt empty": lambda path: path.with_suffix(".json").write_bytes(b""),
    "receipt cut": lambda path: os.truncate(path.with_suffix(".json"), 40),
    "receipt not text": lambda path: path.with_suffix(".json").write_bytes(b"\xff\xfe"),
    "receipt of other keys": lambda path: path.with_suffix(".json").write_text('{"sha256": 5}'),
    "receipt another's": lambda path: path.with_suffix(".json").write_bytes(
        path_of_older(path).with_suffix(".json").read_bytes()
    ),
}


def path_of_older(path: Path) -> Path:
    return path.with_name("step-000000100.pt")


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_state_is_named_and_the_older_one_used(
    states: StateFolder, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    damage(path_of(states, 200))
    assert states.has_any()
    assert_newest(states, 100)
    assert [str(path_of(states, 200)) in message for message in caplog.messages] == [True]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(states: StateFolder, place: float, bit: int) -> None:
    whole = path_of(states, 200).read_bytes()
    flipped = bytearray(whole)
    flipped[int(place * len(whole))] ^= 1 << bit
    path_of(states, 200).write_bytes(flipped)
    assert_newest(states, 100)
    path_of(states, 200).write_bytes(whole)
    assert_newest(states, 200)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_receipt_never_gives_a_wrong_state(states: StateFolder, place: float, bit: int) -> None:
    receipt = path_of(states, 200).with_suffix(".json")
    whole = receipt.read_bytes()
    flipped = bytearray(whole)
    flipped[int(place * len(whole))] ^= 1 << bit
    receipt.write_bytes(flipped)
    newest = states.newest()
    receipt.write_bytes(whole)
    assert newest is not None
    assert same(newest[1], state_of(newest[0], NUMBERS))


def test_where_no_state_is_whole_each_is_named(states: StateFolder, caplog: pytest.LogCaptureFixture) -> None:
    for step in (100, 200):
        os.truncate(path_of(states, step), 10)
    assert not states.has_any()
    assert states.newest() is None
    assert [message.split()[0] for message in caplog.messages] == [str(path_of(states, step)) for step in (200, 100)]


def test_a_damaged_state_takes_no_whole_one_s_place(states: StateFolder) -> None:
    os.truncate(path_of(states, 200), 10)
    assert_newest(states, 100)
    states.save(150, state_of(150, NUMBERS))
    os.truncate(path_of(states, 150), 10)
    assert_newest(states, 100)


def test_what_killed_processes_left_half_written_is_cleared_away(states: StateFolder) -> None:
    left = [
        states.folder / ".step-000000300.pt.1234.tmp",
        states.parent / ("e" * 16) / ".step-000000700.json.99.tmp",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    with states.owned():
        assert [path for path in left if path.exists()] == []
        assert_newest(states, 200)


def test_the_second_process_is_refused_and_told_who_is_first(
    states: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with running(own, states.parent) as (process, reports):
        owner = reports.recv()
        with pytest.raises(UserError, match=f"in use by process {owner} on {socket.gethostname()} since"):
            states.owned().__enter__()
        process.kill()
        process.join()
        with states.owned():
            assert_newest(states, 200)


def test_the_refusal_names_the_cluster_s_job(states: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with states.owned(), pytest.raises(UserError, match=r"SLURM job 4711"):
        StateFolder(states.parent, "e" * 16).owned().__enter__()


def test_a_disk_that_takes_no_lock_is_named_with_the_reason(states: StateFolder) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(UserError, match=r"lock cannot be written \(File too large\)"):
            states.owned().__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with states.owned():
        assert_newest(states, 200)


def test_a_fork_does_not_keep_what_its_killed_owner_owned(states: StateFolder) -> None:
    with running(own_and_fork, states.parent) as (process, reports):
        orphan = reports.recv()
        process.kill()
        process.join()
        try:
            os.kill(orphan, 0)
            with states.owned():
                assert_newest(states, 200)
        finally:
            os.kill(orphan, signal.SIGKILL)


def test_of_a_published_run_the_newest_state_stays_alone(states: StateFolder) -> None:
    with states.owned():
        states.retire()
    assert [path.name for path in states.folder.glob("*.pt")] == ["step-000000200.pt"]
    assert_newest(states, 200)


def test_publishing_a_run_spares_the_states_of_other_recipes_and_names_them(
    states: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    other = StateFolder(states.parent, "e" * 16)
    with other.owned():
        for step in (7, 9):
            other.save(step, state_of(step, NUMBERS))
    caplog.clear()
    caplog.set_level("INFO")
    with states.owned():
        states.retire()
    assert_newest(other, 9)
    (message,) = caplog.messages
    assert str(other.folder) in message
    assert "up to step 9" in message


@pytest.mark.parametrize("damage", ["cut", "receipt missing"])
def test_of_a_published_run_no_damaged_state_takes_the_whole_one_s_place(states: StateFolder, damage: str) -> None:
    DAMAGES[damage](path_of(states, 200))
    with states.owned():
        states.retire()
    assert_newest(states, 100)


def test_of_a_published_run_a_state_that_was_found_damaged_is_not_kept(states: StateFolder) -> None:
    DAMAGES["another state's"](path_of(states, 200))
    assert_newest(states, 100)
    with states.owned():
        states.retire()
    assert [path.name for path in states.folder.glob("*.pt")] == ["step-000000100.pt"]


def test_a_changed_recipe_begins_anew_and_says_what_changed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = {"settings": {"seed": 0, "optimization": {"steps": 100}}, "code": "c" * 64, "views": ["PA", "AP"]}
    new = {"settings": {"seed": 0, "optimization": {"steps": 250}}, "code": "d" * 64, "views": ["PA"]}
    first = StateFolder(tmp_path / "state", "a" * 16, old)
    with first.owned():
        first.save(7, state_of(7, NUMBERS))
    second = StateFolder(tmp_path / "state", "b" * 16, new)
    with second.owned():
        assert second.newest() is None
    (message,) = caplog.messages
    assert "settings.optimization.steps 100 -> 250" in message
    assert 'views ["PA", "AP"] -> ["PA"]' in message
    assert "code" in message
    assert "seed" not in message
    assert "begins anew" in message


def test_a_run_that_goes_on_or_has_no_forerunner_says_nothing_of_recipes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with StateFolder(tmp_path / "state", "a" * 16, {"seed": 0}).owned():
        pass  # A run that was ended before it had saved anything: nothing of it is lost.
    for step in (7, 8):
        states = StateFolder(tmp_path / "state", "b" * 16, {"seed": 1})
        with states.owned():
            states.save(step, state_of(step, NUMBERS))
    assert caplog.messages == []

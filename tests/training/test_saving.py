"""Saving in the background: what is on disk is what was saved, and a failure reaches the user with the reason."""

import subprocess
import sys
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import pytest
import torch
from saving_processes import (
    FINGERPRINT,
    running,
    same,
    save_beyond_the_file_size_limit,
    save_where_nothing_may_be_written,
    state_of,
)

from pipeline.records.errors import UserError
from pipeline.training.saving import StateWriter
from pipeline.training.state import StateFolder
from pipeline.training.state_file import read_state

NUMBERS = 1_000


class SlowStates(StateFolder):
    """Write nothing before it is let to, as a slow disk."""

    def __init__(self, parent: Path) -> None:
        super().__init__(parent, FINGERPRINT)
        self.let = Event()

    def save(self, step: int, state: dict[str, Any]) -> None:
        self.let.wait()
        super().save(step, state)


@pytest.fixture
def slow(tmp_path: Path) -> SlowStates:
    return SlowStates(tmp_path / "state")


@pytest.fixture
def states(tmp_path: Path) -> StateFolder:
    return with_two_states(tmp_path / "state")


def with_two_states(parent: Path) -> StateFolder:
    """Return a folder with the states of steps 1 and 2."""
    states = StateFolder(parent, FINGERPRINT)
    with StateWriter(states) as writer:
        for step in (1, 2):
            writer.save(step, state_of(step, NUMBERS))
    return states


def assert_newest(states: StateFolder, step: int, numbers: int = NUMBERS) -> None:
    newest = states.newest()
    assert newest is not None
    assert newest[0] == step
    assert same(newest[1], state_of(step, numbers))


def test_training_goes_on_while_the_state_of_its_step_is_written(slow: SlowStates) -> None:
    model = torch.nn.Linear(8, 8)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    with StateWriter(slow) as writer:
        for _ in range(3):
            at_save = {"task": model.state_dict(), "optimizer": optimizer.state_dict()}
            writer.save(1, at_save)
            expected = {name: weight.clone() for name, weight in model.state_dict().items()}
            model(torch.ones(2, 8)).sum().backward()
            optimizer.step()
            slow.let.set()
            writer.wait()
            slow.let.clear()
            newest = slow.newest()
            assert newest is not None
            assert same(newest[1]["task"], expected)
            assert not torch.equal(model.weight, expected["weight"])
        slow.let.set()


def test_a_save_waits_for_the_one_before_it_and_both_are_whole(slow: SlowStates) -> None:
    with StateWriter(slow) as writer:
        writer.save(1, state_of(1, NUMBERS))
        assert writer.busy
        assert slow.newest() is None
        Thread(target=slow.let.set).start()
        writer.save(2, state_of(2, NUMBERS))
        assert same(read_state(slow.folder / "step-000000001.pt"), state_of(1, NUMBERS))
    assert_newest(slow, 2)
    assert not writer.busy
    assert writer.seconds > 0


def test_a_writer_that_has_saved_nothing_has_nothing_to_wait_for(states: StateFolder) -> None:
    with StateWriter(states) as writer:
        writer.wait()
        writer.check()
        assert not writer.busy
        assert writer.seconds == 0


def block(slow: SlowStates) -> None:
    """Let the write go on, into a folder that a file has taken the place of."""
    slow.parent.write_text("where the folder should be")
    slow.let.set()


def fail_while_saving(slow: SlowStates) -> None:
    with StateWriter(slow) as writer:
        writer.save(1, state_of(1, NUMBERS))
        block(slow)
        raise ZeroDivisionError


def test_an_exception_in_the_loop_is_not_hidden_by_one_of_the_disk(
    slow: SlowStates, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_while_saving(slow)
    (message,) = caplog.messages
    assert "step 1 cannot be written" in message


@pytest.mark.parametrize("call", [methodcaller("save", 2, {}), methodcaller("wait"), methodcaller("close")])
def test_a_failed_write_is_raised_once_by_whatever_is_called_next(
    slow: SlowStates, call: Callable[[StateWriter], None]
) -> None:
    writer = StateWriter(slow)
    writer.save(1, state_of(1, NUMBERS))
    block(slow)
    with pytest.raises(UserError, match="step 1 cannot be written"):
        call(writer)
    writer.close()


def test_a_loop_that_only_looks_learns_of_a_failed_write_and_never_waits(slow: SlowStates) -> None:
    writer = StateWriter(slow)
    writer.save(1, state_of(1, NUMBERS))
    writer.check()
    assert writer.busy
    block(slow)
    while writer.busy:
        pass
    with pytest.raises(UserError, match="step 1 cannot be written"):
        writer.check()
    writer.close()


def test_a_state_larger_than_a_file_may_be_is_refused_and_the_older_ones_kept(states: StateFolder) -> None:
    with running(save_beyond_the_file_size_limit, states.parent) as (process, reports):
        refusal = reports.recv()
        assert str(states.folder) in refusal
        assert "File too large" in refusal
        assert "the states of steps 1 and 2 are kept" in refusal
        process.join()
    assert_newest(states, 4, numbers=400_000)
    assert not list(states.folder.glob(".*"))


def test_a_read_only_folder_is_named_and_its_states_can_still_be_read() -> None:
    # Others may not look into the folders that pytest makes; the process below becomes one of them.
    with TemporaryDirectory() as open_to_others:
        Path(open_to_others).chmod(0o755)
        states = with_two_states(Path(open_to_others) / "state")
        with running(save_where_nothing_may_be_written, states.parent) as (_, reports):
            refusal = reports.recv()
        assert str(states.folder) in refusal
        assert "Permission denied" in refusal
        assert "the states of steps 1 and 2 are kept" in refusal
        assert_newest(states, 2)


def test_a_full_disk_and_a_read_only_one_leave_the_older_states(tmp_path: Path) -> None:
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=8m tmpfs {tmp_path}"
    if subprocess.run([*inside, mount], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    script = f"{mount} && exec {sys.executable} {Path(__file__).with_name('saving_on_a_full_disk.py')} {tmp_path}"
    shown = subprocess.run([*inside, script], check=True, capture_output=True, text=True).stdout.splitlines()
    assert "No space left on device" in shown[0]
    assert "the states of steps 1 and 2 are kept" in shown[0]
    assert shown[1] == "newest 2, scratch files 0"
    assert shown[2] == "with room again: newest 4"
    assert "Read-only file system" in shown[3]
    assert "the states of steps 2 and 4 are kept" in shown[3]
    assert shown[4] == "newest 4"
    assert "lock cannot be written (Read-only file system); make its file system writable" in shown[5]

"""States under SIGKILL: at whatever moment a process dies, what it last reported as saved can be read."""

from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from saving_processes import FINGERPRINT, own_by_turns, running, same, save_on_and_on, state_of

from pipeline.records.randomness import keyed_generator
from pipeline.training.state import StateFolder

KILLS = 200
LONGEST = 0.05


@pytest.mark.slow
def test_no_kill_during_a_save_loses_a_state_that_was_saved(tmp_path: Path) -> None:
    states = StateFolder(tmp_path / "state", FINGERPRINT)
    half_written = 0
    for kill in range(KILLS):
        reported = saved_until_killed(states.parent, keyed_generator(0, "kill", kill).uniform(0.0, LONGEST))
        newest = states.newest()
        assert newest is None if reported == 0 else newest is not None
        if newest is not None:
            step, state = newest
            # The step that was being saved may be on disk already, and nothing later.
            assert reported <= step <= reported + 1
            assert same(state, state_of(step))
        half_written += any(states.folder.glob(".*.tmp"))
    assert half_written > 0, "no kill came during a save; the test shows nothing"


def saved_until_killed(parent: Path, seconds: float) -> int:
    """Kill a saving process some time after it has begun; return the last step that it reported."""
    with running(save_on_and_on, parent) as (process, reports):
        reported: int = reports.recv()
        killed = monotonic() + seconds
        while (left := killed - monotonic()) > 0:
            if reports.poll(left):
                reported = reports.recv()
        process.kill()
        process.join()
        with suppress(EOFError):
            while True:
                reported = reports.recv()
    return reported


def test_states_never_have_two_owners(tmp_path: Path) -> None:
    arguments = (own_by_turns, tmp_path / "state", 100)
    with running(*arguments) as (_, first), running(*arguments) as (_, second), running(*arguments) as (_, third):
        assert [reports.recv() for reports in (first, second, third)] == [0, 0, 0]

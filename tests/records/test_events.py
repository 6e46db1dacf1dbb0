from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.events import EventLog, read_events, read_history


def test_events_come_back_in_order_and_a_line_cut_by_a_kill_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "run" / "history.jsonl")
    for step in range(3):
        log.append({"event": "step", "step": step, "loss": 0.5})
    with log.path.open("a") as stream:
        stream.write('{"event": "st')
    assert [event["step"] for event in read_events(log.path)] == [0, 1, 2]
    EventLog(log.path).append({"event": "step", "step": 3, "loss": 0.4})
    assert [event["step"] for event in read_events(log.path)] == [0, 1, 2, 3]


def test_a_loss_that_is_no_number_is_refused(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "history.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.append({"loss": float("inf")})
    assert not log.path.exists()


def test_a_resume_takes_the_place_of_what_was_logged_beyond_its_step(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "history.jsonl")
    for event, step in [("start", 0), ("step", 2), ("step", 4), ("save", 4), ("step", 6), ("start", 4), ("step", 6)]:
        log.append({"event": event, "step": step})
    counting = [(event["event"], event["step"]) for event in read_history(log.path)]
    assert counting == [("start", 0), ("step", 2), ("step", 4), ("save", 4), ("start", 4), ("step", 6)]


@given(st.lists(st.lists(st.integers(1, 9), max_size=4), min_size=1, max_size=5), st.data())
def test_the_history_of_a_run_with_many_lives_has_each_step_once_and_in_order(
    lives: list[list[int]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        log, reached, longest = EventLog(Path(folder) / "history.jsonl"), 0, 0
        for life in lives:
            reached = data.draw(st.integers(0, longest))
            log.append({"event": "start", "step": reached})
            for steps in life:
                reached += steps
                log.append({"event": "step", "step": reached})
            longest = max(longest, reached)
        logged = [event["step"] for event in read_history(log.path) if event["event"] == "step"]
    assert logged == sorted(set(logged))
    assert not logged or logged[-1] <= reached

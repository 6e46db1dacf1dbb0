from pathlib import Path

import pytest

from pipeline.records.events import EventLog, read_events


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

import copy
import errno
from pathlib import Path

import pytest
from disk_limits import files_of_at_most

from pipeline.records.errors import UserError
from pipeline.records.events import EventLog
from pipeline.records.publish import (
    UnwritableError,
    clear_scratch,
    publish_bytes,
    publish_json,
    publish_text,
    publishing,
)


def test_a_failed_publication_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    publish_text(target, "old")
    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_target_does_not_exist_until_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "weights"
    with publishing(target) as scratch:
        scratch.write_bytes(b"x" * 1000)
        assert not target.exists()
    assert target.read_bytes() == b"x" * 1000


def test_what_a_killed_process_left_half_written_can_be_cleared_away(tmp_path: Path) -> None:
    publish_text(tmp_path / "record.json", "whole")
    (tmp_path / ".record.json.77.tmp").write_text("ha")
    clear_scratch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_json_that_cannot_be_read_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        publish_json(tmp_path / "x.json", {"auroc": float("nan")})
    assert not (tmp_path / "x.json").exists()


def test_a_file_that_the_disk_refuses_is_named_with_the_reason_and_what_to_do(tmp_path: Path) -> None:
    target = tmp_path / "weights"
    publish_text(target, "old")
    with files_of_at_most(1000), pytest.raises(UserError, match=r"weights cannot be .*File too large.*; raise .*again"):
        publish_bytes(target, bytes(2000))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_log_that_the_disk_refuses_is_named_with_the_reason(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "history.jsonl")
    with files_of_at_most(10), pytest.raises(UserError, match=r"history\.jsonl cannot be written \(File too large\)"):
        log.append({"event": "a start that is too long"})
    log.append({"event": "start"})


def test_a_refusal_in_a_pool_s_process_reaches_the_user_whole(tmp_path: Path) -> None:
    with files_of_at_most(1000), pytest.raises(UnwritableError) as refused:
        publish_bytes(tmp_path / "weights", bytes(2000))
    received = copy.copy(refused.value)  # rebuilds it as a pool does
    assert (str(received), received.reason) == (str(refused.value), "File too large")


OTHERS_ERRORS = (
    FileNotFoundError(errno.ENOENT, "No such file", "/elsewhere/manifest"),
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    PermissionError(errno.EACCES, "Permission denied", "/elsewhere/manifest"),
)


@pytest.mark.parametrize("error", OTHERS_ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_that_is_not_the_disk_s_is_raised_as_it_is(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(type(error), match=error.strerror), publishing(tmp_path / "record.json"):
        raise error


def fail_half_way(target: Path) -> None:
    with publishing(target) as scratch:
        scratch.write_text("new, but not who")
        raise RuntimeError("half way")

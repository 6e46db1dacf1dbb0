from pathlib import Path

import pytest

from pipeline.records.publish import clear_scratch, publish_json, publish_text, publishing


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


def fail_half_way(target: Path) -> None:
    with publishing(target) as scratch:
        scratch.write_text("new, but not who")
        raise RuntimeError("half way")

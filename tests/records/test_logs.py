from pathlib import Path

import pytest

from pipeline.records.errors import UserError
from pipeline.records.logs import rule_log


def test_a_user_error_ends_the_process_with_its_sentence_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, rule_log(str(tmp_path / "rule.log")):
        raise UserError("table.csv has no column 'Age'; use the publisher's table")
    assert stopped.value.code == 1
    assert capsys.readouterr().err == "error: table.csv has no column 'Age'; use the publisher's table\n"
    assert "Traceback" not in (tmp_path / "rule.log").read_text()


def test_any_other_error_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), rule_log(str(tmp_path / "rule.log")):
        _ = 1 / 0
    assert "ZeroDivisionError" in (tmp_path / "rule.log").read_text()

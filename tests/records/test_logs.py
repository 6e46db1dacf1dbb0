import logging
import warnings
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


def test_nothing_of_a_confidential_corpus_reaches_log_or_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stage(log: logging.Logger) -> None:
        log.info("read %s", "files/p10/p10000032/s50414267")
        logging.getLogger("pydicom").warning("value %s is not valid", 10000032)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("odd value 10000032", UserWarning, stacklevel=1)
        raise UserError("subject 10000032 stands in two splits")

    with pytest.raises(SystemExit), rule_log(str(tmp_path / "rule.log"), confidential=True) as log:
        stage(log)
    for shown in (capsys.readouterr().err, (tmp_path / "rule.log").read_text()):
        assert "error: subject […] stands in two splits" in shown
        assert shown.count("[…]") == 6
        assert "10000032" not in shown
        assert "50414267" not in shown


def test_an_unforeseen_error_of_a_confidential_corpus_keeps_its_message_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = "small effusion"
    with pytest.raises(SystemExit) as stopped, rule_log(str(tmp_path / "rule.log"), confidential=True):
        int(cell)
    assert stopped.value.code == 1
    terminal, log = capsys.readouterr().err, (tmp_path / "rule.log").read_text()
    assert terminal == f"error: ValueError in the pipeline's code; {tmp_path / 'rule.log'} says where\n"
    assert "in test_an_unforeseen_error_of_a_confidential_corpus_keeps_its_message_to_itself" in log
    assert cell not in terminal + log


def test_an_exception_that_is_logged_keeps_its_message_to_itself(tmp_path: Path) -> None:
    with rule_log(str(tmp_path / "rule.log"), confidential=True) as log:
        try:
            int("small effusion"[:5])
        except ValueError:
            log.exception("image left out")
    shown = (tmp_path / "rule.log").read_text()
    assert "image left out" in shown
    assert "ValueError" in shown
    assert "literal" not in shown

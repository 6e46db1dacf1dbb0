"""The log of one rule: what a user is told, and the traceback for who mends the code."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.records.redaction import redact, redacted_traceback


@contextlib.contextmanager
def rule_log(path: str, confidential: bool = False, begins: bool = True) -> Iterator[logging.Logger]:
    """Send log lines to `path` and to the terminal while a rule's stage runs.

    The process that `begins` a log empties it; those that it starts append to it.

    A `UserError` ends the process with its one sentence; any other exception leaves its traceback
    in the log as well. Where the corpus is `confidential`, lines are masked, warnings are caught and
    masked too, and an exception that is no `UserError` ends the process with the place where it was
    raised but without its message, so that whoever would have caught it prints nothing of a patient.
    """
    logger = logging.getLogger("pipeline")
    with _handlers(Path(path), confidential, begins):
        try:
            yield logger
        except UserError as error:
            logger.error("error: %s", error)
            sys.exit(1)
        except Exception as error:
            if confidential:
                _append(path, redacted_traceback(error))
                logger.error("error: %s in the pipeline's code; %s says where", type(error).__name__, path)
                sys.exit(1)
            _append(path, traceback.format_exc())
            raise


@contextlib.contextmanager
def _handlers(path: Path, confidential: bool, begins: bool) -> Iterator[None]:
    """Attach a file and the terminal to every logger, those of other packages included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    formatter = _RedactingFormatter if confidential else logging.Formatter
    if begins:
        path.write_bytes(b"")
    file_handler, terminal = logging.FileHandler(path), logging.StreamHandler(sys.stderr)
    file_handler.setFormatter(formatter("%(asctime)s %(message)s"))
    terminal.setFormatter(formatter("%(message)s"))
    root = logging.getLogger()
    logging.getLogger("pipeline").setLevel(logging.INFO)
    logging.captureWarnings(confidential)
    for handler in (file_handler, terminal):
        root.addHandler(handler)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for handler in (file_handler, terminal):
            handler.close()
            root.removeHandler(handler)


class _RedactingFormatter(logging.Formatter):
    """Mask the message of a line, and leave its time alone."""

    def format(self, record: logging.LogRecord) -> str:
        message = redact(record.getMessage())
        failed = record.exc_info[1] if record.exc_info else None
        if failed is not None:
            message += "\n" + redacted_traceback(failed)
        shown = {"msg": message, "args": None, "exc_info": None, "exc_text": None, "stack_info": None}
        return super().format(logging.makeLogRecord(record.__dict__ | shown))


def _append(path: str, text: str) -> None:
    with Path(path).open("a") as log_file:
        log_file.write(text)

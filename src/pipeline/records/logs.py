"""The log of one rule: what a user is told, and the traceback for who mends the code."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from pipeline.records.errors import UserError


@contextlib.contextmanager
def rule_log(path: str) -> Iterator[logging.Logger]:
    """Send log lines to `path` and to the terminal while a rule's stage runs.

    A `UserError` ends the process with its one sentence; any other exception leaves its traceback
    in the log as well.
    """
    logger = logging.getLogger("pipeline")
    logger.setLevel(logging.INFO)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file_handler, terminal = logging.FileHandler(path, mode="w"), logging.StreamHandler(sys.stderr)
    file_handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    terminal.setFormatter(logging.Formatter("%(message)s"))
    for handler in (file_handler, terminal):
        logger.addHandler(handler)
    try:
        yield logger
    except UserError as error:
        logger.error("error: %s", error)
        sys.exit(1)
    except Exception:
        with Path(path).open("a") as log_file:
            log_file.write(traceback.format_exc())
        raise
    finally:
        for handler in (file_handler, terminal):
            handler.close()
            logger.removeHandler(handler)

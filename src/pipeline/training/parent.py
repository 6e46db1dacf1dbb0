"""A process that ends with the one that started it, however that ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.records.errors import UserError

PARENT = "TRAINING_LAUNCHER"
"""Variable of the environment that holds the number of the process that starts others."""
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


@contextmanager
def named_as_parent() -> Iterator[None]:
    """Let processes that are started inside know that this one starts them."""
    os.environ[PARENT] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[PARENT]


def end_with_parent() -> None:
    """Have Linux kill this process when the one that started it ends; other systems leave it to train on.

    Raises `UserError` where that one has ended already, as it may while this one still imports what it needs.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    parent = os.environ.get(PARENT)
    # Asked after the call above, so that there is no time between in which it may end unseen.
    if parent is not None and os.getppid() != int(parent):
        raise UserError(f"process {parent}, which started this one, has ended; the run continues when it is run again")

"""Shards that are open: as many as are in use, up to a bound, for any number of threads."""

import itertools
import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.records.errors import WRITE_AGAIN, UserError

_SHARE = 3 / 8  # of the descriptors that a process may have; a run reads two sets of samples and has other files


def open_at_once() -> int:
    """Return how many shards each `Samples` may hold open: 384 where the shell grants the usual 1,024 descriptors."""
    return int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _SHARE)


@dataclass
class _OpenFile:
    descriptor: int
    readers: int = 0
    retired: bool = False


class ShardFiles:
    """Read ranges of files that are opened when first needed, from any thread.

    Of many files, those least recently read are closed again; a file that a thread is reading stays
    open until that read is done, even when all are closed.
    """

    def __init__(self, paths: Sequence[Path], limit: int) -> None:
        """Prepare to read the files; `limit` may be exceeded only while as many threads read other files."""
        self._paths = paths
        self._limit = limit
        self._lock = threading.Lock()
        self._open: OrderedDict[int, _OpenFile] = OrderedDict()
        self._closed = False

    def read(self, number: int, offset: int, size: int) -> bytes:
        """Return the bytes of a range of file `number`, fewer where it ends early. Raises `UserError` naming the file.

        Raises `ValueError` once closed.
        """
        try:
            file = self._enter(number)
            try:
                return _read_range(file.descriptor, offset, size)
            finally:
                self._leave(file)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            advice = f"restore it or {WRITE_AGAIN}" if gone else "make it readable and run again"
            raise UserError(f"{self._paths[number]} cannot be read ({error.strerror}); {advice}") from error

    def close(self) -> None:
        """Close all files, those being read as soon as that is done."""
        with self._lock:
            self._closed = True
            while self._open:
                self._retire(next(iter(self._open)))

    def _enter(self, number: int) -> _OpenFile:
        with self._lock:
            if number in self._open:
                return self._count_reader(number)
        # Opening takes a network file system milliseconds, for which no other thread should wait.
        descriptor = os.open(self._paths[number], os.O_RDONLY | os.O_CLOEXEC)
        with self._lock:
            if self._closed or number in self._open:
                os.close(descriptor)
            else:
                self._make_room()
                self._open[number] = _OpenFile(descriptor)
            return self._count_reader(number)

    def _count_reader(self, number: int) -> _OpenFile:
        if self._closed:
            raise ValueError("shards are read only inside the block that opened them")
        self._open.move_to_end(number)
        file = self._open[number]
        file.readers += 1
        return file

    def _leave(self, file: _OpenFile) -> None:
        with self._lock:
            file.readers -= 1
            if file.retired and not file.readers:
                os.close(file.descriptor)

    def _make_room(self) -> None:
        idle = (number for number, file in self._open.items() if not file.readers)
        for number in list(itertools.islice(idle, max(0, len(self._open) + 1 - self._limit))):
            self._retire(number)

    def _retire(self, number: int) -> None:
        file = self._open.pop(number)
        file.retired = True
        if not file.readers:
            os.close(file.descriptor)


def _read_range(descriptor: int, offset: int, size: int) -> bytes:
    content = os.pread(descriptor, size, offset)
    # Network file systems may return less than is there; only an empty answer is the end of the file.
    while len(content) < size and (more := os.pread(descriptor, size - len(content), offset + len(content))):
        content += more
    return content

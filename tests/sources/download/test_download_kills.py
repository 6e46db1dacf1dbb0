import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_publisher import (
    PASSWORD,
    USER,
    Behaviour,
    FakePublisher,
    is_complete,
    made_files,
    publishing_at_loopback,
    random_faults,
)

from pipeline.records.randomness import keyed_generator
from pipeline.sources.download.journal import verified_digests

FILES = made_files(70, 60_000, seed=5) | {"big.zip": os.urandom(600_000)}


@dataclass
class Downloads:
    """Start downloads and kill them from the server's side."""

    process: "subprocess.Popen[str]"
    server: FakePublisher
    root: Path
    child: int = 0

    def run(self, number: int | None = None, sent_before: int = 0) -> bool:
        """Run one download; with a signal's number, send it once the server has sent so many bytes more.

        Return whether it was sent.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.child, deadline = int(self.process.stdout.readline()), self.server.sent + sent_before

        signalled = threading.Lock()

        def signal_late(sent: int) -> None:
            if number is not None and sent >= deadline and signalled.acquire(blocking=False):
                os.kill(self.child, number)

        self.server.behaviour.after_chunk = signal_late
        assert self.process.stdout.readline() == "ended\n"
        self.server.behaviour.after_chunk = lambda _: None
        return signalled.locked()


@contextmanager
def downloads(server: FakePublisher, root: Path) -> Iterator[Downloads]:
    script = Path(__file__).with_name("forked_downloads.py")
    environment = os.environ | {"PHYSIONET_USERNAME": USER, "PHYSIONET_PASSWORD": PASSWORD, "NETRC": "/nowhere"}
    with subprocess.Popen(
        [sys.executable, str(script)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(f"{server.url}\n{root}\n")
        yield Downloads(process, server, root)
        process.stdin.close()


def verified_and_sound(root: Path) -> set[str]:
    """Return the files that stand under their names, all of which must be whole."""
    there = {path for path in FILES if (root / path).exists()}
    for path in there:
        assert hashlib.sha256((root / path).read_bytes()).digest() == hashlib.sha256(FILES[path]).digest()
    return there


@pytest.mark.parametrize(
    ("number", "often"), [(signal.SIGKILL, 40), (signal.SIGTERM, 10), (signal.SIGINT, 10)], ids=["KILL", "TERM", "INT"]
)
def test_a_download_killed_many_times_ends_complete_and_fetches_nothing_twice(
    tmp_path: Path, number: signal.Signals, often: int
) -> None:
    root, kills = tmp_path / "raw", 0
    longest = 5 * sum(map(len, FILES.values())) // often
    with (
        publishing_at_loopback(FILES, Behaviour(faults=random_faults(3, share=0.15))) as server,
        downloads(server, root) as runs,
    ):
        while not is_complete(root, FILES):
            signal_sent = number if kills < 50 else None
            there = verified_and_sound(root)
            server.requests.clear()
            kills += runs.run(signal_sent, int(keyed_generator(1, "bytes before a kill", kills).integers(longest)))
            assert not [path for path in there if server.asked(path)]
            assert set(verified_digests(root)) <= verified_and_sound(root)
            assert there <= verified_and_sound(root)
        assert kills >= often // 4
        server.requests.clear()
        runs.run()
        assert server.requests == []
    assert set(verified_digests(root)) == set(FILES)
    secrets = (PASSWORD.encode(), b"sessionid", b"granted")
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert root.with_suffix(".log") in left
    assert not [path for path in left for secret in secrets if secret in path.read_bytes()]
    assert "Traceback" not in root.with_suffix(".log").read_text()


def test_an_interruption_does_not_wait_for_a_silent_server(tmp_path: Path) -> None:
    ended, waited = threading.Event(), list[bool]()
    with publishing_at_loopback(FILES) as server, downloads(server, tmp_path / "raw") as runs:

        def fall_silent(path: str, count: int) -> str:
            if path == "big.zip" and count == 0:
                os.kill(runs.child, signal.SIGINT)
                waited.append(ended.wait(15))
            return ""

        server.behaviour.faults = fall_silent
        runs.run()
        ended.set()
    assert waited == [True]

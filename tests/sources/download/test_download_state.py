import fcntl
import hashlib
import json
import logging
import os
import stat
import threading
from pathlib import Path

import pytest
from fake_publisher import (
    POLICY,
    Behaviour,
    QuickClock,
    bring,
    is_complete,
    made_files,
    publication_at,
    publishing_at_loopback,
)

from pipeline.records.errors import UserError
from pipeline.sources.download.fetch import download
from pipeline.sources.download.journal import verified_digests

FILES = made_files(5, 900)
FIRST = sorted(FILES)[0]
NOWHERE = "http://127.0.0.1:9/files/demo/1.0/"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def open_publisher() -> Behaviour:
    return Behaviour(protected=False)


@pytest.fixture
def downloaded(tmp_path: Path) -> tuple[Path, str]:
    """Download all files; return the folder and the address, where nobody answers any more."""
    with publishing_at_loopback(FILES, open_publisher()) as server:
        bring(server, tmp_path / "raw")
    return tmp_path / "raw", server.url


def test_a_set_to_be_had_by_hand_says_what_to_put_where(tmp_path: Path) -> None:
    publication = publication_at(None, by_hand="request all.zip by mail and unpack it")
    with pytest.raises(
        UserError, match=r"^Demo X-rays 1.0 cannot .*: request all.zip by mail .*demo; folder: .*raw\)$"
    ):
        download("demo", publication, tmp_path / "raw", 1)
    (tmp_path / "raw").mkdir()
    download("demo", publication, tmp_path / "raw", 1)
    assert list((tmp_path / "raw").iterdir()) == []


def test_what_is_verified_needs_neither_network_nor_credentials(downloaded: tuple[Path, str]) -> None:
    root, url = downloaded
    download("demo", publication_at(url), root, 2)  # credentialed, and nobody answers
    assert is_complete(root, FILES)


def test_verified_files_are_not_read_again(downloaded: tuple[Path, str]) -> None:
    root, url = downloaded
    changed = root / FIRST
    status = changed.stat()
    changed.write_bytes(b"x" * status.st_size)
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    download("demo", publication_at(url), root, 2)
    assert changed.read_bytes()[:1] == b"x"


def test_a_file_changed_since_is_fetched_again_and_only_that_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with publishing_at_loopback(FILES, open_publisher()) as server:
        bring(server, tmp_path)
        (tmp_path / FIRST).write_bytes(b"changed")
        server.requests.clear()
        with caplog.at_level(logging.INFO):
            bring(server, tmp_path)
    assert is_complete(tmp_path, FILES)
    assert [len(server.asked(path)) for path in sorted(FILES)] == [1, 0, 0, 0, 0]
    assert "1 files in" in caplog.text


def test_local_copies_are_taken_over(tmp_path: Path) -> None:
    for path in sorted(FILES)[:3]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(FILES[path])
    with publishing_at_loopback(FILES, open_publisher()) as server:
        bring(server, tmp_path)
    assert is_complete(tmp_path, FILES)
    assert [len(server.asked(path)) for path in sorted(FILES)] == [0, 0, 0, 1, 1]
    assert verified_digests(tmp_path) == {path: sha256(content) for path, content in FILES.items()}


def test_digests_are_given_only_for_files_unchanged_since(downloaded: tuple[Path, str]) -> None:
    root, _ = downloaded
    assert verified_digests(root) == {path: sha256(content) for path, content in FILES.items()}
    (root / FIRST).write_bytes(b"changed")
    (root / sorted(FILES)[1]).unlink()
    assert set(verified_digests(root)) == set(sorted(FILES)[2:])
    assert verified_digests(root / "elsewhere") == {}


def test_a_journal_cut_short_or_damaged_costs_a_hash_and_no_download(downloaded: tuple[Path, str]) -> None:
    root, url = downloaded
    journal = root / ".download" / "demo" / "verified.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([b"\0\0\0\n", b'{"path": 1}\n', *lines[1:-1], lines[-1][:-9]]))
    download("demo", publication_at(url), root, 2)
    assert verified_digests(root) == {path: sha256(content) for path, content in FILES.items()}
    kept = [json.loads(line)["path"] for line in journal.read_text().splitlines()[2:]]
    assert sorted(kept) == sorted(FILES)


def test_another_release_is_not_mistaken_for_the_one_that_is_there(downloaded: tuple[Path, str]) -> None:
    root, _ = downloaded
    newer = FILES | {FIRST: b"newer"}
    with publishing_at_loopback(newer, open_publisher()) as server:
        bring(server, root)
    assert is_complete(root, newer)


def test_a_list_that_the_publisher_corrected_replaces_the_copy(downloaded: tuple[Path, str]) -> None:
    root, _ = downloaded
    corrected = FILES | {FIRST: b"corrected"}
    with publishing_at_loopback(corrected, open_publisher()) as server:
        (root / sorted(FILES)[1]).unlink()
        (root / ".download" / "demo" / "SHA256SUMS.url").write_text(f"{server.url}SHA256SUMS.txt\n")
        bring(server, root)
    assert is_complete(root, corrected)
    assert [len(server.asked(path)) for path in sorted(FILES)] == [1, 1, 0, 0, 0]


def test_only_needed_files_are_fetched_and_their_mode_is_that_of_ordinary_files(tmp_path: Path) -> None:
    with publishing_at_loopback(FILES, open_publisher()) as server:
        bring(server, tmp_path, needed=("files/p00/*",))
    needed = {path: content for path, content in FILES.items() if path.startswith("files/p00/")}
    assert is_complete(tmp_path, needed)
    assert len(server.requests) == 1 + len(needed)
    assert {stat.S_IMODE((tmp_path / path).stat().st_mode) for path in needed} == {0o644}


def test_a_known_mismatch_is_verified_by_its_own_sum(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with publishing_at_loopback(FILES, open_publisher()) as server, caplog.at_level(logging.INFO):
        server.files = FILES | {FIRST: b"what is really served"}
        bring(server, tmp_path, known_mismatches={FIRST: sha256(b"what is really served")})
    assert is_complete(tmp_path, server.files)
    assert "1 files are known to differ from the published list" in caplog.text


def test_a_correction_of_a_file_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    with (
        publishing_at_loopback(FILES, open_publisher()) as server,
        pytest.raises(UserError, match="names 'no_such_file'"),
    ):
        bring(server, tmp_path, known_mismatches={"no_such_file": sha256(b"")})


def test_a_pinned_list_is_that_of_the_project(tmp_path: Path) -> None:
    pinned = tmp_path / "checksums.txt"
    with publishing_at_loopback(FILES, open_publisher()) as server:
        with pytest.raises(UserError, match=r"^the list of files .*/checksums.txt does not exist"):
            bring(server, tmp_path / "raw", checksums=str(pinned), pinned=True)
        pinned.write_bytes(server.listed)
        bring(server, tmp_path / "raw", checksums=str(pinned), pinned=True)
    assert is_complete(tmp_path / "raw", FILES)
    assert len(server.requests) == len(FILES)


def test_a_damaged_list_is_not_kept(tmp_path: Path) -> None:
    with publishing_at_loopback(FILES, open_publisher()) as server:
        server.listed = server.listed[:-20] + b"\n<damage>\n"
        with pytest.raises(UserError, match=r"SHA256SUMS.txt, line 6 is not '<sha256> <path>'"):
            bring(server, tmp_path)
    assert not (tmp_path / ".download" / "demo" / "SHA256SUMS.txt").exists()


def test_a_disk_too_small_is_noticed_before_any_file_is_fetched(tmp_path: Path) -> None:
    with publishing_at_loopback(FILES, open_publisher()) as server:
        with pytest.raises(UserError, match=r"free, and the rest of Demo X-rays needs 1050000\.\d+ TB; make room"):
            bring(server, tmp_path, bytes=10**18)
        assert [request.path for request in server.requests] == ["/files/demo/1.0/SHA256SUMS.txt"]


def test_a_folder_that_cannot_be_written_is_named_without_the_file(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file where a folder is needed")
    said = f"^cannot read or write in {tmp_path}: "
    with publishing_at_loopback(FILES, open_publisher()) as server, pytest.raises(UserError, match=said) as refused:
        bring(server, tmp_path)
    assert Path(FIRST).name not in str(refused.value)


def test_two_publications_do_not_replace_each_others_files_for_ever(tmp_path: Path) -> None:
    first, second = {"LICENSE.txt": b"one"}, {"LICENSE.txt": b"two"}
    with publishing_at_loopback(first, open_publisher()) as server:
        bring(server, tmp_path)
    said = r"holds, from another publication, 1 other files .* line 1\)"
    with publishing_at_loopback(second, open_publisher()) as server, pytest.raises(UserError, match=said):
        download("another", publication_at(server.url, access="open"), tmp_path, 1, POLICY, QuickClock())
    assert is_complete(tmp_path, first)


def test_a_second_process_waits_for_the_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    waits = threading.Event()

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "another process is downloading" in record.getMessage():
                waits.set()

    logger, handler = logging.getLogger("pipeline.sources.download"), Noticing()
    logger.addHandler(handler)
    (tmp_path / ".download").mkdir()
    with publishing_at_loopback(FILES, open_publisher()) as server, caplog.at_level(logging.INFO):
        with (tmp_path / ".download" / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            second = threading.Thread(target=bring, args=(server, tmp_path))
            second.start()
            assert waits.wait(20)
            assert server.requests == []
        second.join(20)
    logger.removeHandler(handler)
    assert is_complete(tmp_path, FILES)

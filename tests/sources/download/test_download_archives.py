"""What is unpacked from a publication's archives: kept whole, known by digest, and never onto other files."""

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from fake_publisher import POLICY, Behaviour, QuickClock, bring, is_complete, publication_at, publishing_at_loopback

from pipeline.records.errors import UserError
from pipeline.sources.download.fetch import download
from pipeline.sources.download.journal import verified_digests

MEMBERS = {"reports/s1.txt": b"FINAL REPORT", "reports/s2.txt": b"WET READ"}
UNPACK = ("**.zip",)


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # of 1980, so that no clock decides the bytes
    return stream.getvalue()


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def fetch(root: Path, files: dict[str, bytes], name: str = "demo") -> None:
    """Download the files of a publication and unpack its archives."""
    with publishing_at_loopback(files, Behaviour(protected=False)) as server:
        described = publication_at(server.url, access="open", unpack=UNPACK)
        download(name, described, root, 3, POLICY, QuickClock())


def fetch_nothing(root: Path) -> None:
    """Download again where nobody answers."""
    described = publication_at("http://127.0.0.1:9/files/demo/1.0/", access="open", unpack=UNPACK)
    (root / ".download" / "demo" / "SHA256SUMS.url").write_text(f"{described.files_url}SHA256SUMS.txt\n")
    download("demo", described, root, 3, POLICY, QuickClock())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Download one archive into a folder, where its members stand beside it."""
    fetch(tmp_path / "raw", {"text/set.zip": zipped(MEMBERS)})
    return tmp_path / "raw"


def test_only_the_archives_that_are_named_are_unpacked_beside_themselves(tmp_path: Path) -> None:
    files = {"text/set.zip": zipped(MEMBERS), "other.zip": zipped({"x": b""})}
    with publishing_at_loopback(files, Behaviour(protected=False)) as server:
        bring(server, tmp_path, unpack=("text/*.zip",))
    assert is_complete(tmp_path / "text", MEMBERS)
    assert not (tmp_path / "x").exists()


def test_members_are_known_by_their_digests(root: Path) -> None:
    files = {"text/set.zip": zipped(MEMBERS)} | {f"text/{path}": content for path, content in MEMBERS.items()}
    assert verified_digests(root) == digests(files)


@pytest.mark.parametrize("junk", [None, b"", b"junk", b"final report"], ids=["deleted", "cut", "other", "same size"])
def test_a_broken_member_is_mended_without_the_network(root: Path, junk: bytes | None) -> None:
    broken, sound = root / "text/reports/s1.txt", root / "text/reports/s2.txt"
    before = sound.stat()
    broken.unlink()
    if junk is not None:
        broken.write_bytes(junk)
    fetch_nothing(root)
    assert is_complete(root / "text", MEMBERS)
    assert sound.stat().st_ino == before.st_ino
    assert set(verified_digests(root)) == {"text/set.zip", *(f"text/{path}" for path in MEMBERS)}


def test_sound_members_are_not_unpacked_again(root: Path) -> None:
    record = root / ".download/demo/unpacked/text/set.zip.json"
    member, before = root / "text/reports/s1.txt", record.stat()
    os.utime(member, ns=(0, 0))
    assert "text/reports/s1.txt" not in verified_digests(root)
    fetch_nothing(root)
    assert record.stat().st_ino == before.st_ino
    assert "text/reports/s1.txt" in verified_digests(root)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"sha256": 1}'])
def test_a_lost_or_damaged_record_costs_another_unpacking(root: Path, damage: str) -> None:
    record = root / ".download/demo/unpacked/text/set.zip.json"
    before = json.loads(record.read_text())
    record.write_text(damage)
    fetch_nothing(root)
    assert json.loads(record.read_text()) == before
    assert before["members"] == digests({f"text/{path}": content for path, content in MEMBERS.items()})


def test_a_newer_archive_replaces_the_members_of_the_older_one(root: Path) -> None:
    newer = {"reports/s1.txt": b"ADDENDUM", "reports/s3.txt": b"NEW"}
    fetch(root, {"text/set.zip": zipped(newer)})
    assert is_complete(root / "text", newer)
    (root / "text/reports/s2.txt").unlink()  # of the older one only
    record = (root / ".download/demo/unpacked/text/set.zip.json").stat()
    fetch_nothing(root)
    assert (root / ".download/demo/unpacked/text/set.zip.json").stat().st_ino == record.st_ino


@pytest.mark.parametrize(
    "member",
    [
        "table.csv",
        "./table.csv",
        "table.csv/x",
        "set.zip",
        "images/a.png",
        ".download/demo/verified.jsonl",
        ".download",
    ],
)
def test_an_archive_cannot_replace_verified_files_itself_or_the_downloaders_own(tmp_path: Path, member: str) -> None:
    files = {"table.csv": b"published", "images/a.png": b"image", "set.zip": zipped({"good": b"1", member: b"evil"})}
    with pytest.raises(UserError, match=r"set.zip: member '.*' would take the place of") as refused:
        fetch(tmp_path, files)
    assert "\n" not in str(refused.value)
    assert is_complete(tmp_path, files)
    assert not (tmp_path / "good").exists()
    assert verified_digests(tmp_path) == digests(files)


def test_an_archive_replaces_neither_the_users_files_nor_another_publications(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"mine")
    for members in ({"notes.txt": b"theirs"}, {"table.csv": b"theirs"}):
        fetch(tmp_path, {"table.csv": b"published"}, "another")
        with pytest.raises(UserError, match=r"set.zip: member '.*' differs from the file that is there"):
            fetch(tmp_path, {"set.zip": zipped(members)})
    assert is_complete(tmp_path, {"notes.txt": b"mine", "table.csv": b"published"})


def test_a_file_that_an_archive_brought_does_not_yield_to_another_archive(tmp_path: Path) -> None:
    files = {"a.zip": zipped({"readme": b"of a"}), "b.zip": zipped({"readme": b"of b"})}
    for _ in range(2):
        with pytest.raises(UserError, match=r"b.zip: member 'readme' differs from the file that is there"):
            fetch(tmp_path, files)
    assert (tmp_path / "readme").read_bytes() == b"of a"

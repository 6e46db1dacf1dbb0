"""What an archive may do to a folder: put whole plain files below it, and nothing else."""

import io
import signal
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.records.errors import UserError
from pipeline.sources.archives import unpack

FILES = {"readme.txt": b"hello", "images/a b.png": b"\x89PNG" * 5000, "images/deep/empty.csv": b""}
TAR_MODES = {".tar": "w:", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
ENDINGS = (".zip", *TAR_MODES)


def pack(archive: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members:
                file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return archive
    with tarfile.open(archive, TAR_MODES["".join(archive.suffixes)]) as file:  # type: ignore[call-overload]
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return archive


def pack_tar_entry(archive: Path, entry: tarfile.TarInfo) -> Path:
    with tarfile.open(archive, "w") as file:
        file.addfile(entry)
    return archive


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive: Path, sentence: str, limit: int | None = None) -> None:
    folder = archive.parent / "out"
    with pytest.raises(UserError, match=sentence) as caught:
        unpack(archive, folder, limit)
    assert str(archive) in str(caught.value)
    assert list(folder.rglob("*")) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_gives_the_files_that_were_packed(tmp_path: Path, ending: str) -> None:
    unpack(pack(tmp_path / f"set{ending}", [*FILES.items()]), tmp_path / "new" / "out")
    assert tree(tmp_path / "new" / "out") == FILES


def test_files_get_the_same_mode_whatever_the_archive_says(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("run.sh")
    entry.mode = 0o4777
    unpack(pack_tar_entry(tmp_path / "set.tar", entry), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "run.sh").stat().st_mode) == 0o644


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_folders_of_the_archive_are_no_files(tmp_path: Path, ending: str) -> None:
    archive = tmp_path / f"set{ending}"
    if ending == ".zip":
        pack(archive, [("images/", b""), ("images/a.png", b"a")])
    else:
        with tarfile.open(archive, "w:gz") as file:
            for name in (".", "./images"):
                folder = tarfile.TarInfo(name)
                folder.type = tarfile.DIRTYPE
                file.addfile(folder)
            entry = tarfile.TarInfo("./images/a.png")
            entry.size = 1
            file.addfile(entry, io.BytesIO(b"a"))
    unpack(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"images/a.png": b"a"}


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_a_second_run_touches_only_what_differs(tmp_path: Path, ending: str) -> None:
    archive, folder = pack(tmp_path / f"set{ending}", [*FILES.items()]), tmp_path / "out"
    unpack(archive, folder)
    (folder / "readme.txt").write_bytes(b"HELLO")
    (folder / "mine.txt").write_bytes(b"kept")
    before = {path: path.stat() for path in folder.rglob("*.*") if path.is_file()}
    unpack(archive, folder, replaced=[PurePosixPath("readme.txt")])
    assert tree(folder) == {**FILES, "mine.txt": b"kept"}
    changed = [path.name for path, state in before.items() if path.stat().st_ino != state.st_ino]
    assert changed == ["readme.txt"]


def test_the_digests_of_all_members_are_given_whether_they_were_there_or_not(tmp_path: Path) -> None:
    archive = pack(tmp_path / "set.zip", [*FILES.items()])
    digests = {PurePosixPath(path): sha256(content).hexdigest() for path, content in FILES.items()}
    assert unpack(archive, tmp_path) == digests
    assert unpack(archive, tmp_path) == digests


def test_somebody_elses_file_is_not_replaced_and_nothing_else_is_placed(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a b.png").write_bytes(b"mine")
    archive = pack(tmp_path / "set.zip", [*FILES.items()])
    with pytest.raises(UserError, match=r"set.zip: member 'images/a b.png' differs from the file that is there"):
        unpack(archive, tmp_path)
    assert set(tree(tmp_path)) == {"set.zip", "images/a b.png"}
    assert (tmp_path / "images" / "a b.png").read_bytes() == b"mine"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("member", ["set{ending}", "./set{ending}", "set{ending}/a.png", "kept", "kept/a.png"])
def test_a_member_in_the_place_of_the_archive_or_a_reserved_one_is_refused(
    tmp_path: Path, ending: str, member: str
) -> None:
    archive = pack(tmp_path / f"set{ending}", [("good.txt", b"good"), (member.format(ending=ending), b"bad")])
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"set.*: member '.*' would take the place of the archive, of a downloaded"):
        unpack(archive, tmp_path, reserved=[PurePosixPath("kept")])
    assert tree(tmp_path) == before


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("/etc/passwd", "has an absolute path"),
        ("C:/windows/a.dll", "has an absolute path"),
        ("../outside", r"leads out of the folder by '\.\.'"),
        ("images/../../outside", r"leads out of the folder by '\.\.'"),
        ("images\\..\\outside", "has a backslash or a zero byte in its name"),
        ("x" * 256, "has a name of more than 255 bytes"),
        (".set{ending}.partial/0", "has a name that is needed to unpack it"),
    ],
)
def test_a_hostile_name_is_refused(tmp_path: Path, ending: str, name: str, sentence: str) -> None:
    archive = pack(tmp_path / f"set{ending}", [("good.txt", b"good"), (name.format(ending=ending), b"bad")])
    refused(archive, f"member '.*' {sentence}")


def test_a_zero_byte_in_a_zip_name_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "set.zip", [("good.png!evil.sh", b"bad")])
    archive.write_bytes(archive.read_bytes().replace(b"good.png!", b"good.png\0"))
    refused(archive, "has a backslash or a zero byte in its name")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_a_tar_member_that_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    entry = tarfile.TarInfo("images/a.png")
    entry.type, entry.linkname = kind, "/etc/passwd"
    refused(pack_tar_entry(tmp_path / "set.tar", entry), "member 'images/a.png' is a link or a device, not a file")


def test_a_sparse_tar_member_is_refused(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("images/a.png")
    entry.type = tarfile.GNUTYPE_SPARSE
    refused(pack_tar_entry(tmp_path / "set.tar", entry), "member 'images/a.png' is a sparse file")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_a_zip_member_that_is_no_plain_file_is_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("images/a.png")
    entry.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(entry, "/etc/passwd")
    refused(tmp_path / "set.zip", "member 'images/a.png' is a link or a device, not a file")


def test_an_encrypted_zip_member_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "set.zip", [("a.png", b"secret")])
    raw = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + flags] |= 1
    archive.write_bytes(raw)
    refused(archive, "member 'a.png' is encrypted")


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice_is_refused(tmp_path: Path, ending: str) -> None:
    refused(pack(tmp_path / f"set{ending}", [("a.png", b"1"), ("./a.png", b"2")]), "member 'a.png' stands in it twice")


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, ending: str) -> None:
    archive = pack(tmp_path / f"set{ending}", [("good", b"1"), ("a/b.png", b"1"), ("a", b"2")])
    refused(archive, "member 'a' is a file and a folder")


@pytest.mark.parametrize("ending", ENDINGS)
def test_more_than_there_is_room_for_is_refused(tmp_path: Path, ending: str) -> None:
    archive = pack(tmp_path / f"bomb{ending}", [("good.txt", b"good"), ("zeros.bin", bytes(1 << 20))])
    refused(archive, "member 'zeros.bin' needs 524292 bytes more than there is room for", limit=1 << 19)
    unpack(archive, tmp_path / "out", limit=(1 << 20) + 4)


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (10, "is cut short or damaged at member 'zeros.bin'"),
        (1 << 30, "member 'zeros.bin' holds 5000 bytes, not the 1073741824 that it declares"),
    ],
)
def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path, declared: int, sentence: str) -> None:
    archive = pack(tmp_path / "bomb.zip", [("zeros.bin", bytes(5000))])
    raw = archive.read_bytes().replace((5000).to_bytes(4, "little"), declared.to_bytes(4, "little"))
    archive.write_bytes(raw)
    refused(archive, sentence, limit=1 << 31)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.9])
def test_an_archive_cut_short_is_refused(tmp_path: Path, ending: str, kept: float) -> None:
    content = bytes(range(256)) * 40
    archive = pack(tmp_path / f"set{ending}", [(f"{n}.bin", content) for n in range(9)])
    archive.write_bytes(archive.read_bytes()[: int(kept * archive.stat().st_size)])
    refused(archive, "is cut short or damaged")


def test_a_tar_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "set.tar", [("a.bin", bytes(512)), ("b.bin", bytes(512))])
    archive.write_bytes(archive.read_bytes()[:1024])
    refused(archive, "is cut short or damaged: the end mark is missing")


def test_a_tar_with_a_damaged_header_in_the_middle_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "set.tar", [("a.bin", b"a"), ("b.bin", b"b")])
    raw = bytearray(archive.read_bytes())
    raw[1024 + 150] ^= 0xFF
    archive.write_bytes(raw)
    refused(archive, "holds damaged or unreachable data after its last member")


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_a_changed_byte_is_noticed(tmp_path: Path, ending: str) -> None:
    content = b"".join(n.to_bytes(4, "little") for n in range(9000))
    archive = pack(tmp_path / f"set{ending}", [("a.bin", content)])
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    archive.write_bytes(raw)
    refused(archive, "is cut short or damaged")


def test_a_web_page_instead_of_an_archive_is_refused(tmp_path: Path) -> None:
    for ending in ENDINGS:
        (tmp_path / f"set{ending}").write_text("<html>please log in</html>" * 50)
        refused(tmp_path / f"set{ending}", "is cut short or damaged")


def test_an_ending_nobody_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.rar").write_bytes(b"Rar!")
    refused(tmp_path / "set.rar", r"does not end in \.zip, \.tar, .*; unpack it yourself")


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "set.zip", r"set\.zip does not exist")


def test_a_folder_in_the_way_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    with pytest.raises(UserError, match=r"member 'a.png' cannot be placed, since .*out/a.png is in its way"):
        unpack(pack(tmp_path / "set.zip", [("a.png", b"1")]), tmp_path / "out")


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"member 'images/a.png' cannot be placed, since .*out/images is in its way"):
        unpack(pack(tmp_path / "set.zip", [("images/a.png", b"1")]), tmp_path / "out")
    assert tree(tmp_path / "out") == {"images": b"mine"}


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_a_run_killed_while_it_writes_leaves_nothing_under_a_final_name(tmp_path: Path, ending: str) -> None:
    files = {"small.bin": b"s" * 1000, "large.bin": b"l" * 100_000}
    archive, folder = pack(tmp_path / f"set{ending}", [*files.items()]), tmp_path / "out"
    script = (
        "import resource, signal, sys; from pathlib import Path; from pipeline.sources.archives import unpack; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); "
        "unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    killed = subprocess.run([sys.executable, "-c", script, archive, folder], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGXFSZ, killed.stderr.decode()
    assert [path.name for path in folder.iterdir()] == [f".set{ending}.partial"]
    unpack(archive, folder)
    assert tree(folder) == files


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path: Path) -> None:
    archive = pack(tmp_path / "set.zip", [("large.bin", b"l" * 100_000)])
    script = (
        "import resource, sys; from pathlib import Path; from pipeline.sources.archives import unpack; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    failed = subprocess.run([sys.executable, "-c", script, archive, tmp_path / "out"], check=False, capture_output=True)
    assert b"File too large" in failed.stderr
    assert b"cut short" not in failed.stderr
    assert list((tmp_path / "out").iterdir()) == []


PRINTED = st.characters(codec="utf-8", exclude_characters="\0")  # the writers cut a name at a zero byte
NAMES = st.lists(
    st.one_of(
        st.sampled_from(["..", ".", "", "a", "C:", "~", "con", " ", "-rf", "\\", "é"]), st.text(PRINTED, max_size=6)
    ),
    min_size=1,
    max_size=5,
).map("/".join)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=4, unique=True), ending=st.sampled_from([".zip", ".tar"]))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_whatever_the_names_nothing_is_written_outside_and_files_are_whole_or_none(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], ending: str
) -> None:
    top = tmp_path_factory.mktemp("hostile")
    folder = top / "one" / "two" / "out"
    members = [(name, f"content {number}".encode()) for number, name in enumerate(names)]
    try:
        archive = pack(top / f"set{ending}", members)
    except (ValueError, UnicodeError):
        return  # not even the writer takes such a name
    try:
        unpack(archive, folder)
        accepted = True
    except UserError:
        accepted = False
    found = tree(folder)
    # A zip name that ends in a slash is a folder.
    files = [content for name, content in members if not (ending == ".zip" and name.endswith("/"))]
    assert sorted(found.values()) == (sorted(files) if accepted else [])
    assert set(tree(top)) == {archive.name} | {f"one/two/out/{path}" for path in found}

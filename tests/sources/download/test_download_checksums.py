import hashlib
import re
import subprocess
import time
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.errors import UserError
from pipeline.sources.download.checksums import parse_checksums
from pipeline.sources.download.selection import glob_pattern, select

DIGEST = hashlib.sha256(b"x").hexdigest()
OTHER = hashlib.sha256(b"y").hexdigest()
SEGMENTS = st.text("ab.1", min_size=1, max_size=3).filter(lambda text: text not in (".", ".."))
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
GLOB_SEGMENTS = st.text("ab1.*?", min_size=1, max_size=3).filter(lambda text: "**" not in text)
GLOBS = st.lists(GLOB_SEGMENTS | st.just("**"), min_size=1, max_size=3).map("/".join)


def listed(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_lists_of_physionet_and_of_coreutils_are_read() -> None:
    content = listed(f"{DIGEST} a b/c.jpg", f"{OTHER.upper()}  README", f"{DIGEST} *raw.bin\r", "", f"{DIGEST}  ./d")
    files = parse_checksums(content, "LIST", shows_paths=True).files
    assert [(file.path, file.sha256, file.line) for file in files.values()] == [
        ("a b/c.jpg", DIGEST, 1),
        ("README", OTHER, 2),
        ("raw.bin", DIGEST, 3),
        ("d", DIGEST, 5),
    ]


def test_a_list_that_coreutils_wrote_is_read_as_coreutils_means_it(tmp_path: Path) -> None:
    names = ["a.txt", "b c.txt", "ä.txt", "d'e.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    written = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True).stdout
    files = parse_checksums(written, "LIST", shows_paths=True).files
    assert {path: file.sha256 for path, file in files.items()} == {
        name: hashlib.sha256(name.encode()).hexdigest() for name in names
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("<html>", "line 2 is not '<sha256> <path>'"),
        (f"{DIGEST[:-1]} a", "line 2 is not '<sha256> <path>'"),
        (f"{DIGEST}   three-spaces", "line 2 is not '<sha256> <path>'"),
        (f"{DIGEST} ", "line 2 is not '<sha256> <path>'"),
        (f"{DIGEST} /etc/passwd", "line 2 has an absolute path"),
        (f"{DIGEST} a/../../b", "line 2 has a path that leads out of the folder"),
        (f"{DIGEST} a//b", "line 2 has a path with an empty part"),
        (f"{DIGEST} a/", "line 2 has a path with an empty part"),
        (f"{DIGEST} a\\b", "line 2 has a path with a control character or a backslash"),
        (f"{DIGEST} a\0b", "line 2 has a path with a control character or a backslash"),
        (f"{DIGEST} .download/demo/verified.jsonl", "line 2 has a path in .download"),
        (f"{OTHER} first", "line 2 repeats the path of line 1"),
        (f"{OTHER} first/inside", "line 1 names a file where other lines have a folder"),
        (f"{OTHER} first.part", "line 2 names a file where the downloader keeps another one's part"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(line: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^LIST, {re.escape(said)}"):
        parse_checksums(listed(f"{DIGEST} first", line), "LIST", shows_paths=True)


def test_a_list_that_is_no_text_is_refused_by_its_line() -> None:
    with pytest.raises(UserError, match=r"^LIST, line 2 is not UTF-8 text"):
        parse_checksums(listed(f"{DIGEST} a") + b"\xff\xfe\n", "LIST", shows_paths=True)


@given(path=PATHS, glob=GLOBS)
def test_globs_choose_as_the_rule_segment_by_segment_does(path: str, glob: str) -> None:
    assert bool(glob_pattern(glob).fullmatch(path)) == matches(path.split("/"), glob.split("/"))


def matches(path: list[str], glob: list[str]) -> bool:
    """Match by recursion over segments: `**` stands for any number of folders, at the end for at least one name."""
    if not glob:
        return not path
    if glob[0] == "**":
        if len(glob) == 1:
            return bool(path)
        return matches(path, glob[1:]) or (bool(path) and matches(path[1:], glob))
    return bool(path) and fnmatchcase(path[0], glob[0]) and matches(path[1:], glob[1:])


def test_needed_files_keep_the_order_of_the_list_and_stand_once() -> None:
    paths = ["b/2.jpg", "a/1.jpg", "a/1.txt", "x[1].csv"]
    checksums = parse_checksums(listed(*(f"{DIGEST} {path}" for path in paths)), "LIST", shows_paths=True)
    assert [file.path for file in select(checksums, ["a/*", "**/*.jpg", "x[1].csv"])] == paths
    assert [file.path for file in select(checksums, ["[!b]/[0-9].t?t"])] == ["a/1.txt"]


def test_a_glob_without_a_match_is_answered_with_the_nearest_names_but_no_patients() -> None:
    paths = ["files/p10/p10000032/x.jpg", "files/p10/p10000035/x.jpg", "mimic-cxr-2.0.0-split.csv.gz", "LICENSE.txt"]
    checksums = parse_checksums(listed(*(f"{DIGEST} {path}" for path in paths)), "LIST", shows_paths=False)
    with pytest.raises(UserError, match=r"'mimic-cxr-split.csv'; the nearest are mimic-cxr-2.0.0-split.csv.gz$"):
        select(checksums, ["mimic-cxr-split.csv"])
    with pytest.raises(UserError) as refused:
        select(checksums, ["files/p10/p100000/"])
    assert "p10000032" not in str(refused.value)


def test_a_list_as_long_as_mimics_is_read_and_searched_in_seconds() -> None:
    lines = (f"{DIGEST} files/p{index % 10}/p{index // 6}/s{index // 2}/{index:08x}.jpg" for index in range(400_000))
    content = listed(*lines, f"{DIGEST} split.csv.gz")
    began = time.process_time()
    chosen = select(parse_checksums(content, "LIST", shows_paths=False), ["files/**/*.jpg", "*.csv.gz"])
    assert len(chosen) == 400_001
    assert time.process_time() - began < 15

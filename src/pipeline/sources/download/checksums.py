"""Read a publisher's list of files and their sha256."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.records.errors import UserError

PART_SUFFIXES = (".part", ".part-tag")
"""What is added to a file's name while it is not whole: its bytes so far, and which version they are of."""

# One space as PhysioNet writes it, two as coreutils does, a star where coreutils read in binary mode (spec F6).
_LINE = re.compile(r"([0-9a-fA-F]{64}) {1,2}\*?(?:\./)?([^\s*].*)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\\]")


class Listed(NamedTuple):
    """Name a published file: its path inside the corpus folder, its sha256 in hex, its line in the list."""

    path: str
    sha256: str
    line: int


@dataclass(frozen=True)
class ChecksumList:
    """Hold a publication's files by path."""

    name: str
    """What the list is called in sentences for the user."""
    files: Mapping[str, Listed]
    shows_paths: bool
    """Whether sentences may hold paths, which hold patients' numbers where access is restricted."""

    def place(self, file: Listed) -> str:
        """Name a file by its line in the list, and by its path where that may be shown."""
        line = f"line {file.line} of {self.name}"
        return f"{file.path} ({line})" if self.shows_paths else f"the file of {line}"


def parse_checksums(content: bytes, name: str, shows_paths: bool) -> ChecksumList:
    """Parse lines of sha256, one or two spaces and path. Raises `UserError` with the line that is wrong.

    Refused are paths that lead out of the corpus folder or into the downloader's own, that stand there
    twice, and that need a folder where another line has a file.
    """
    files: dict[str, Listed] = {}
    for number, line in enumerate(_text(content, name).split("\n"), start=1):
        if not line.strip():
            continue
        matched = _LINE.fullmatch(line.rstrip("\r"))
        if matched is None:
            raise _wrong(name, number, "is not '<sha256> <path>'")
        digest, path = matched.groups()
        if flaw := _flaw(path):
            raise _wrong(name, number, flaw)
        if path in files:
            raise _wrong(name, number, f"repeats the path of line {files[path].line}")
        files[path] = Listed(path, digest.lower(), number)
    _refuse_collisions(files, name)
    return ChecksumList(name, files, shows_paths)


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _wrong(name, content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text") from error


def _flaw(path: str) -> str | None:
    if path.startswith("/"):
        return "has an absolute path"
    if _UNPRINTABLE.search(path):
        return "has a path with a control character or a backslash"
    segments = path.split("/")
    if ".." in segments:
        return "has a path that leads out of the folder ('..')"
    if "" in segments or "." in segments:
        return "has a path with an empty part"
    if segments[0] == ".download":
        return "has a path in .download, the downloader's own folder"
    return None


def _refuse_collisions(files: Mapping[str, Listed], name: str) -> None:
    folders = _folders(files)
    for path in files:
        if path in folders:
            raise _wrong(name, files[path].line, "names a file where other lines have a folder")
        if any(path.endswith(suffix) and path.removesuffix(suffix) in files for suffix in PART_SUFFIXES):
            raise _wrong(name, files[path].line, "names a file where the downloader keeps another one's part")


def _folders(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _wrong(name: str, number: int, what: str) -> UserError:
    return UserError(f"{name}, line {number} {what}; the list is damaged or not a list of checksums")

"""Read reports out of the publisher's zip archive, member by member, without unpacking it."""

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from pipeline.records.errors import UserError
from pipeline.sources.tables import require_file

MEMBER = re.compile(r"(?:[^/]+/)?files/p1\d/p1\d{7}/s(5\d{7})\.txt")
"""Name of a report, below the folder that the archive may begin with; the group is its study."""

LARGEST_REPORT = 1_000_000
"""Bytes; real ones have less than a hundredth, and more would be a decompression bomb."""

_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, UnicodeDecodeError)


def iterate_reports(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield study id and text of every report of the archive, in the order in which they lie in it.

    Texts are decoded as UTF-8 and their line ends become newlines; other files are passed over.

    Raises:
        UserError: The archive is unreadable or holds no report; a member is encrypted, a link, named by an
            absolute path or one with `..`, packed by another method than deflation, larger than
            `LARGEST_REPORT`, or damaged; two members are reports of one study. The sentence gives the
            member's place in the archive's directory, since its name identifies a patient.
    """
    require_file(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            reports = _list_reports(opened, archive)
            for info in sorted(reports, key=lambda info: info.header_offset):
                number, study = reports[info]
                yield study, _read(opened, info, number, archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{archive} is not a readable zip archive: {error}; download it again") from error


def _list_reports(opened: zipfile.ZipFile, archive: Path) -> dict[zipfile.ZipInfo, tuple[int, str]]:
    """Map each report to its place in the directory, from 1, and its study."""
    reports = {}
    studies: set[str] = set()
    for number, info in enumerate(opened.infolist(), 1):
        _check_name(info, number, archive)
        if match := MEMBER.fullmatch(info.filename):
            _check_kind(info, number, archive)
            if match[1] in studies:
                _refuse(archive, number, "is a second report of one study")
            studies.add(match[1])
            reports[info] = (number, match[1])
    if not reports:
        raise UserError(
            f"{archive} holds no report files/pXX/pSUBJECT/sSTUDY.txt; use the publisher's original archive"
        )
    return reports


def _check_name(info: zipfile.ZipInfo, number: int, archive: Path) -> None:
    name = info.orig_filename
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
        _refuse(archive, number, "has a name that leads out of the archive")


def _check_kind(info: zipfile.ZipInfo, number: int, archive: Path) -> None:
    if info.flag_bits & _ENCRYPTED:
        _refuse(archive, number, "is encrypted")
    if stat.S_ISLNK(info.external_attr >> 16):
        _refuse(archive, number, "is a link")
    if info.compress_type not in _METHODS:
        _refuse(archive, number, f"is packed by method {info.compress_type}, not by deflation")
    if info.file_size > LARGEST_REPORT:
        _refuse(archive, number, f"has {info.file_size} bytes, more than a report can have")


def _read(opened: zipfile.ZipFile, info: zipfile.ZipInfo, number: int, archive: Path) -> str:
    try:
        with opened.open(info) as stream:
            raw = stream.read(LARGEST_REPORT + 1)  # bounded, whatever size the directory declares
        if len(raw) != info.file_size:
            raise EOFError("it ends early")
        return raw.decode().replace("\r\n", "\n")
    except _DAMAGE:
        # The library's own words hold the member's name.
        _refuse(archive, number, "is damaged")


def _refuse(archive: Path, number: int, what: str) -> NoReturn:
    raise UserError(
        f"{archive}: member {number} of its directory {what}; use the publisher's original archive"
    ) from None

"""Reports out of a zip archive, and the archives that are refused."""

import stat
import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipeline.records.errors import UserError
from pipeline.sources.reports.archive import LARGEST_REPORT, iterate_reports
from pipeline.sources.reports.table import read_reports

FIRST, SECOND = "files/p10/p10000032/s50414267.txt", "files/p11/p11000001/s53189527.txt"
TEXTS = {FIRST: "FINAL REPORT\n IMPRESSION:  Normal.\n", SECOND: "FINAL REPORT\n FINDINGS:  Clear.\n"}


def write(path: Path, members: list[tuple[str | zipfile.ZipInfo, str]], packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write(tmp_path / "reports.zip", list(TEXTS.items()))


def refused(archive: Path, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as refusal:
        list(iterate_reports(archive))
    assert "p10000032" not in str(refusal.value)
    assert "50414267" not in str(refusal.value)


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_report_is_read_whole(packed: int, tmp_path: Path) -> None:
    archive = write(tmp_path / "reports.zip", list(TEXTS.items()), packed)
    assert dict(iterate_reports(archive)) == {"50414267": TEXTS[FIRST], "53189527": TEXTS[SECOND]}


def test_folders_and_other_files_are_passed_over(tmp_path: Path) -> None:
    members = [("files/", ""), ("files/p10/", ""), ("index.html", "<html>"), (FIRST, "text")]
    assert list(iterate_reports(write(tmp_path / "reports.zip", list(members)))) == [("50414267", "text")]


def test_line_ends_become_newlines_so_that_headers_are_seen(tmp_path: Path) -> None:
    archive = write(tmp_path / "reports.zip", [(FIRST, TEXTS[FIRST].replace("\n", "\r\n"))])
    assert list(iterate_reports(archive)) == [("50414267", TEXTS[FIRST])]


def test_only_wanted_studies_are_in_the_table_and_one_without_report_is_not(archive: Path) -> None:
    table = read_reports(archive, pl.Series(["53189527", "53189527", "59999999"]))
    assert table.rows() == [("53189527", "Clear.", None, "findings only")]


@pytest.mark.parametrize("name", ["/" + FIRST, "../" + FIRST, "files/p10/../" + FIRST, "files\\p10\\s5.txt"])
def test_a_name_that_leads_out_of_the_archive_is_refused(name: str, tmp_path: Path) -> None:
    refused(write(tmp_path / "reports.zip", [(SECOND, "x"), (name, "x")]), "member 2 .* leads out of the archive")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [FIRST, "again/" + FIRST])
def test_a_second_report_of_a_study_is_refused(name: str, tmp_path: Path) -> None:
    refused(write(tmp_path / "reports.zip", [(FIRST, "x"), (name, "y")]), "member 2 .* second report")


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo(FIRST)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    refused(write(tmp_path / "reports.zip", [(link, "/etc/passwd")]), "member 1 .* is a link")


def test_other_packing_is_refused(tmp_path: Path) -> None:
    refused(write(tmp_path / "reports.zip", [(FIRST, "x" * 99)], zipfile.ZIP_BZIP2), "packed by method 12")


def test_a_report_too_large_to_be_one_is_refused(tmp_path: Path) -> None:
    refused(write(tmp_path / "reports.zip", [(FIRST, "x" * (LARGEST_REPORT + 1))]), "more than a report can have")


def test_an_encrypted_report_is_refused(archive: Path) -> None:
    raw = bytearray(archive.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + flags] |= 1
    archive.write_bytes(raw)
    refused(archive, "member 1 .* is encrypted")


def test_no_flipped_bit_changes_a_text_unnoticed(tmp_path: Path) -> None:
    archive = write(tmp_path / "reports.zip", [(FIRST, TEXTS[FIRST])])
    whole = archive.read_bytes()
    harmless = 0
    for place in range(whole.index(FIRST.encode()) + len(FIRST), whole.index(b"PK\x01\x02")):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = dict(iterate_reports(archive))
        except UserError:
            continue
        assert found == {"50414267": TEXTS[FIRST]}
        harmless += 1
    assert harmless <= 1  # the last byte of a deflated text has bits to spare


def test_a_declared_size_that_is_wrong_is_noticed(archive: Path) -> None:
    raw = bytearray(archive.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 24] -= 1
    archive.write_bytes(raw)
    refused(archive, "member 1 .* is damaged")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "reports.zip", "w") as opened:
        opened.writestr(FIRST, b"\xff\xfe")
    refused(tmp_path / "reports.zip", "member 1 .* is damaged")


def test_an_archive_cut_short_or_without_reports_is_refused(archive: Path, tmp_path: Path) -> None:
    refused(write(tmp_path / "other.zip", [("readme.txt", "x")]), "holds no report")
    archive.write_bytes(archive.read_bytes()[:-30])
    refused(archive, "not a readable zip archive")

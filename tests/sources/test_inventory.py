from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.randomness import keyed_generator
from pipeline.settings.corpora import InventorySettings
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.dicom_demographics import parse_age, read_demographics
from pipeline.sources.image_state import FileState, image_state
from pipeline.sources.inventory import INVENTORY_SCHEMA, check_inventory, take_inventory
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.dicom import write_jpeg_film, write_raw_film

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)


def corpus(*paths: str | None, tables: tuple[str, ...] = (), attachments: tuple[str, ...] = ()) -> RawCorpus:
    return RawCorpus(pl.DataFrame({"path": paths}, schema={"path": pl.String}), tables, attachments)


def states(root: Path, listed: RawCorpus, checksums: bool = True) -> dict[str, tuple[str, str | None]]:
    found = take_inventory(Trees.alone(root), listed, checksums)
    assert found.schema == INVENTORY_SCHEMA
    return {path: (state, reason) for path, state, reason in found.select("path", "state", "reason").iter_rows()}


def write_each_kind(root: Path) -> tuple[str, ...]:
    """Write a small image of every kind and return their names."""
    for ending in ("jpg", "png"):
        cv2.imwrite(str(root / f"image.{ending}"), IMAGE)
    write_raw_film(root / "raw.dicom", IMAGE, {"Modality": "DX"}, keyed_generator(0, "film"))
    write_jpeg_film(root / "jpeg.dcm", IMAGE, {"BodyPartExamined": "CHEST"})
    np.save(root / "array.npy", np.zeros((2, 3, 8, 8), np.float32))
    return "image.jpg", "image.png", "raw.dicom", "jpeg.dcm", "array.npy"


@pytest.mark.parametrize("checksums", [True, False])
def test_whole_images_of_every_kind_are_present(tmp_path: Path, checksums: bool) -> None:
    names = write_each_kind(tmp_path)
    assert states(tmp_path, corpus(*names), checksums) == dict.fromkeys(names, ("present", None))


@pytest.mark.parametrize("cut", [12, 600])
def test_images_cut_short_are_truncated(tmp_path: Path, cut: int) -> None:
    names = write_each_kind(tmp_path)
    for name in names:
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-cut])
    assert {state for state, _ in states(tmp_path, corpus(*names)).values()} == {"truncated"}


def test_what_is_no_image_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<html>please log in</html>")
    (tmp_path / "folder.jpg").mkdir()
    found = states(tmp_path, corpus("empty.jpg", "page.jpg", "folder.jpg", "gone.jpg"))
    assert {path: state for path, (state, _) in found.items()} == {
        "empty.jpg": "empty",
        "page.jpg": "unknown_format",
        "folder.jpg": "missing",
        "gone.jpg": "missing",
    }


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Modality": "CT"}, "Modality 'CT' is none of CR, DX, DR"),
        ({"BodyPartExamined": "HAND"}, "Body Part Examined 'HAND' is neither chest nor thorax"),
        ({"ViewPosition": "XX"}, "View Position 'XX' is no projection of the chest"),
        ({"NumberOfFrames": "30"}, "it holds 30 frames"),
    ],
)
def test_a_dicom_file_of_something_else_is_rejected(tmp_path: Path, tags: dict[str, str], reason: str) -> None:
    write_jpeg_film(tmp_path / "film.dcm", IMAGE, tags)
    assert states(tmp_path, corpus("film.dcm")) == {"film.dcm": ("rejected", reason)}


@pytest.mark.parametrize("view", ["PA", "AP LLD", "LATERAL", "XTABLE LATERAL", "LL"])
def test_a_dicom_file_of_any_usual_view_is_accepted(tmp_path: Path, view: str) -> None:
    write_jpeg_film(tmp_path / "film.dcm", IMAGE, {"ViewPosition": view, "BodyPartExamined": "PORT CHEST"})
    assert states(tmp_path, corpus("film.dcm")) == {"film.dcm": ("present", None)}


def test_the_real_files_with_odd_headers_are_rejected_and_the_others_are_not(real_data: Path) -> None:
    names = [f"test{number}.dcm" for number in range(1, 7)]
    assert states(real_data / "nih_cxr14" / "dicom", corpus(*names)) == {
        "test1.dcm": ("present", None),
        "test2.dcm": ("present", None),
        "test3.dcm": ("present", None),
        "test4.dcm": ("rejected", "Body Part Examined 'RIBCAGE' is neither chest nor thorax"),
        "test5.dcm": ("rejected", "Modality 'CT' is none of CR, DX, DR"),
        "test6.dcm": ("rejected", "Patient Position 'XX' is neither a position nor a projection"),
    }


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_any_bytes_have_a_state() -> None:
    for start in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY", b"\x93NUMPY\x01\x00", bytes(128) + b"DICM"):
        for rest in (b"", bytes(300), b"\xff" * 300):
            content = start + rest
            assert isinstance(image_state(BytesIO(content), len(content)), FileState)


def test_an_array_of_many_images_is_listed_once(tmp_path: Path) -> None:
    np.save(tmp_path / "cxr.npy", np.zeros((3, 8, 8), np.uint8))
    found = take_inventory(Trees.alone(tmp_path), corpus("cxr.npy#0", "cxr.npy#1", None, "cxr.npy#2"), checksums=True)
    assert found["path"].to_list() == ["cxr.npy"]
    assert found["sha256"].to_list() == [file_digest(tmp_path / "cxr.npy")]


def test_attachments_need_only_be_there_and_masks_whole(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "mask.png"), IMAGE)
    cv2.imwrite(str(tmp_path / "cut.png"), IMAGE)
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-20])
    (tmp_path / "signal.dat").write_bytes(b"\xff\xd8 samples that begin like a JPEG")
    (tmp_path / "fixations.csv").touch()
    listed = corpus(attachments=("mask.png", "cut.png", "signal.dat", "fixations.csv", "gone.csv"))
    assert [state for state, _ in states(tmp_path, listed).values()] == [
        "present",
        "truncated",
        "present",
        "empty",
        "missing",
    ]


def test_known_digests_stand_in_for_hashing_except_those_of_tables(tmp_path: Path) -> None:
    names = write_each_kind(tmp_path)
    (tmp_path / "table.csv").write_text("edited since the download")
    known = dict.fromkeys((*names, "table.csv"), "f" * 64)
    listed = corpus(*names, tables=("table.csv",))
    found = take_inventory(Trees.alone(tmp_path), listed, checksums=True, known=known, known_images=known)
    digests = dict(found.select("path", "sha256").iter_rows())
    assert digests == dict.fromkeys(names, "f" * 64) | {"table.csv": file_digest(tmp_path / "table.csv")}


def test_known_digests_are_not_those_of_a_lender(tmp_path: Path) -> None:
    names = write_each_kind(tmp_path)
    trees = Trees(tmp_path / "own", tmp_path, tmp_path)
    found = take_inventory(trees, corpus(*names), checksums=True, known=dict.fromkeys(names, "f" * 64))
    assert found["sha256"].to_list() == [file_digest(tmp_path / name) for name in names]


def test_the_refusal_quotes_the_first_reason_and_counts_states(tmp_path: Path) -> None:
    write_jpeg_film(tmp_path / "a.dcm", IMAGE, {"Modality": "CT"})
    write_jpeg_film(tmp_path / "b.dcm", IMAGE, {"Modality": "CR"})
    trees = Trees.alone(tmp_path)
    found = take_inventory(trees, corpus("a.dcm", "b.dcm"), checksums=False)
    with pytest.raises(UserError, match=r"1 of 2 .* are rejected \(1\), first .*a\.dcm \(Modality 'CT' is none of"):
        check_inventory(found, "rsna", trees, InventorySettings())
    check_inventory(found, "rsna", trees, InventorySettings(allow_unreadable=1))


def test_headers_tell_view_sex_and_age(tmp_path: Path) -> None:
    tags = {"ViewPosition": "AP", "PatientSex": "F", "PatientAge": "51"}
    write_jpeg_film(tmp_path / "full.dcm", IMAGE, tags)
    write_jpeg_film(tmp_path / "odd.dcm", IMAGE, {"ViewPosition": "", "PatientSex": "O", "PatientAge": "151"})
    cv2.imwrite(str(tmp_path / "image.png"), IMAGE)
    said = read_demographics(tmp_path, pl.Series(["full.dcm", "odd.dcm", "image.png", "gone.dcm"]))
    assert said.rows() == [("AP", "F", 51.0), *[(None, None, None)] * 3]
    write_jpeg_film(tmp_path / "lying.dcm", IMAGE, {"ViewPosition": "AP LLD", "PatientPosition": "HFS"})
    assert read_demographics(tmp_path, pl.Series(["lying.dcm"]))["view"].to_list() == ["AP"]


@pytest.mark.parametrize(
    ("text", "years"),
    [("058Y", 58), ("51", 51), ("018M", 1.5), ("000Y", None), ("148Y", None), ("", None), ("Y", None)],
)
def test_an_age_string_in_years(text: str, years: float | None) -> None:
    assert parse_age(text) == years

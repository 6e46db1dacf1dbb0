"""The tuberculosis sets of Shenzhen and of Rahman et al."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.collections import ShenzhenTbLayout, TbRahmanLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters import shenzhen_tb, tb_rahman
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort

SOURCE = PhantomSource(kind="phantom", patients=12, image_size=32)


@pytest.fixture
def shenzhen(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", SOURCE, "shenzhen_tb")
    return tmp_path / "raw"


@pytest.fixture
def rahman(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", SOURCE, "tb_rahman")
    return tmp_path / "raw"


def read_shenzhen(root: Path, **settings: Any) -> RawCorpus:
    return shenzhen_tb.read_corpus(Trees.alone(root), ShenzhenTbLayout(format="shenzhen_tb", **settings))


def read_rahman(root: Path) -> RawCorpus:
    return tb_rahman.read_corpus(Trees.alone(root), TbRahmanLayout(format="tb_rahman"))


def as_nlm(root: Path, first_lines: dict[str, str]) -> None:
    """Rearrange the Kaggle form as the National Library of Medicine has it."""
    (root / "images" / "images").rename(root / "CXR_png")
    (root / "ChinaSet_AllFiles" / "ClinicalReadings").mkdir(parents=True)
    (root / "CXR_png").rename(root / "ChinaSet_AllFiles" / "CXR_png")
    for name, sex, age, findings in pl.read_csv(root / "shenzhen_metadata.csv").iter_rows():
        stem = name.removesuffix(".png")
        first = first_lines.get(stem, f"{sex} {age:.0f}yrs")
        text = f"{first}\r\n{findings}\r\n"
        (root / "ChinaSet_AllFiles" / "ClinicalReadings" / f"{stem}.txt").write_bytes(text.encode())
    (root / "shenzhen_metadata.csv").unlink()


def test_shenzhen_has_one_known_patient_per_image(shenzhen: Path) -> None:
    corpus = read_shenzhen(shenzhen)
    rows = corpus.rows
    assert rows.schema == ROW_SCHEMA
    assert set(rows["path"]) == {p.relative_to(shenzhen).as_posix() for p in shenzhen.glob("images/images/*.png")}
    assert rows["patient_known"].all()
    assert rows["patient"].is_unique().all()
    assert "shenzhen:0001" in set(rows["patient"])
    assert corpus.tables == ("shenzhen_metadata.csv",)


def test_shenzhen_findings_follow_the_text_and_the_name(shenzhen: Path) -> None:
    rows = read_shenzhen(shenzhen).rows
    ill = rows["key"].str.ends_with("_1")
    assert set(rows.filter(ill)["finding_tuberculosis"]) == {"present"}
    assert set(rows.filter(~ill)["finding_tuberculosis"]) == {"absent"}
    assert set(rows.filter(~ill)["finding_no_finding"]) == {"present"}


def test_shenzhen_is_the_same_in_both_forms(shenzhen: Path) -> None:
    kaggle = read_shenzhen(shenzhen)
    as_nlm(shenzhen, {})
    nlm = read_shenzhen(shenzhen, tables="nlm")
    assert nlm.rows.drop("path").equals(kaggle.rows.drop("path"))
    assert set(nlm.rows["path"].str.head(26)) == {"ChinaSet_AllFiles/CXR_png/"}
    assert len(nlm.tables) == nlm.rows.height


@pytest.mark.parametrize(
    ("first_line", "sex", "age"),
    [
        ("Male 45yrs", "M", 45.0),
        ("Female , 28 yrs", "F", 28.0),
        ("female32yr", "F", 32.0),
        ("Male 6 months", "M", 0.5),
        ("male 73days", "M", 73 / 365.25),
        ("Male", "M", None),
        ("unknown", None, None),
    ],
)
def test_shenzhen_readings_tell_sex_and_age_in_many_ways(
    shenzhen: Path, first_line: str, sex: str | None, age: float | None
) -> None:
    as_nlm(shenzhen, {"CHNCXR_0002_0": first_line})
    row = read_shenzhen(shenzhen, tables="nlm").rows.row(by_predicate=pl.col("key") == "CHNCXR_0002_0", named=True)
    assert row["sex"] == sex
    assert row["age"] == (None if age is None else pytest.approx(age))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            ("CHNCXR_0002_0.png", "CHNCXR_0002_1.png"),
            "has a label in its name that its findings 'normal' contradict",
        ),
        (("CHNCXR_0002_0.png", "MCUCXR_0002_0.png"), "line 3: the image is not named as in the set"),
        (("normal", ""), "line 3: the image has no findings"),
        (("Female,", "Female,old"), r"line 3: 'old.*' in column 'age' is not a number"),
    ],
)
def test_a_shenzhen_row_that_cannot_be_is_named(shenzhen: Path, wrong: tuple[str, str], sentence: str) -> None:
    table = shenzhen / "shenzhen_metadata.csv"
    table.write_text(table.read_text().replace(*wrong, 1))
    with pytest.raises(UserError, match=rf"shenzhen_metadata\.csv.*{sentence}"):
        read_shenzhen(shenzhen)


def test_a_shenzhen_image_without_a_row_is_unlisted_and_a_row_without_an_image_expected(shenzhen: Path) -> None:
    (shenzhen / "images" / "images" / "CHNCXR_0002_0.png").rename(shenzhen / "images" / "CHNCXR_0662_1.png")
    corpus = read_shenzhen(shenzhen)
    assert corpus.unlisted == ("images/CHNCXR_0662_1.png",)
    assert corpus.rows.filter(pl.col("key") == "CHNCXR_0002_0")["path"].to_list() == ["images/CHNCXR_0002_0.png"]


def test_shenzhen_without_readings_is_refused(shenzhen: Path) -> None:
    with pytest.raises(UserError, match=r"ClinicalReadings holds no file CHNCXR_\*\.txt"):
        read_shenzhen(shenzhen, tables="nlm")


def test_rahman_classes_are_those_of_the_folders(rahman: Path) -> None:
    rows = read_rahman(rahman).rows
    assert rows.schema == ROW_SCHEMA
    assert set(rows["path"]) == {
        p.relative_to(rahman).as_posix() for p in rahman.glob("TB_Chest_Radiography_Database/*/*.png")
    }
    ill = rows["path"].str.contains("/Tuberculosis/", literal=True)
    assert set(rows.filter(ill)["finding_tuberculosis"]) == {"present"}
    assert set(rows.filter(~ill)["finding_tuberculosis"]) == {"absent"}
    assert rows["official_split"].null_count() == rows.height
    assert not rows["patient_known"].any()


def test_rahman_refuses_a_class_nobody_knows(rahman: Path) -> None:
    (rahman / "TB_Chest_Radiography_Database" / "Healthy").mkdir()
    with pytest.raises(UserError, match=r"'Healthy' is not one of the publisher's folders \(Normal, Tuberculosis\)"):
        read_rahman(rahman)


def test_rahman_does_not_look_at_hidden_copies_of_an_archiver(rahman: Path) -> None:
    count = read_rahman(rahman).rows.height
    (rahman / "TB_Chest_Radiography_Database" / "Normal" / "._Normal-1.png").write_bytes(b"Mac OS X")
    assert read_rahman(rahman).rows.height == count


def test_rahman_counts_files_of_another_kind(rahman: Path) -> None:
    name = "TB_Chest_Radiography_Database/Normal/Normal-1.webp"
    (rahman / name).touch()
    assert read_rahman(rahman).unlisted == (name,)


def test_phantom_normals_of_rahman_are_films_of_the_phantom_nih_set(rahman: Path, tmp_path: Path) -> None:
    write_cohort(tmp_path / "nih", SOURCE, "nih_cxr14")
    films = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (tmp_path / "nih").glob("images_001/images/*.png")]
    small = np.stack([cv2.resize(film, (24, 24), interpolation=cv2.INTER_AREA) for film in films])
    normals = sorted((rahman / "TB_Chest_Radiography_Database" / "Normal").iterdir())
    for path in normals:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert (small == image).all(axis=(1, 2)).sum() == 1
    assert normals

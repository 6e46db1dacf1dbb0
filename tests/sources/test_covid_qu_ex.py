"""COVID-QU-Ex: classes from folders, a mask for every image, and both halves of one tree."""

import shutil
from pathlib import Path
from typing import Any

import cv2
import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.collections import CovidQuExLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.covid_qu_ex import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort

LUNG = "Lung Segmentation Data/Lung Segmentation Data"
INFECTION = "Infection Segmentation Data/Infection Segmentation Data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", PhantomSource(kind="phantom", patients=12, image_size=32), "covid_qu_ex")
    return tmp_path / "raw"


def read(root: Path, **settings: Any) -> RawCorpus:
    return read_corpus(Trees.alone(root), CovidQuExLayout(format="covid_qu_ex", **settings))


def test_every_image_has_a_row_with_the_class_of_its_folder(root: Path) -> None:
    corpus = read(root)
    assert corpus.rows.schema == ROW_SCHEMA
    assert set(corpus.rows["path"]) == {p.relative_to(root).as_posix() for p in (root / LUNG).glob("*/*/images/*.png")}
    for label, finding in {"COVID-19": "covid19", "Non-COVID": "non_covid_pneumonia", "Normal": "no_finding"}.items():
        inside = corpus.rows.filter(pl.col("path").str.contains(f"/{label}/", literal=True))
        assert inside.height
        assert set(inside[f"finding_{finding}"]) == {"present"}
        others = corpus.rows.filter(~pl.col("path").str.contains(f"/{label}/", literal=True))
        assert set(others[f"finding_{finding}"]) == {"absent"}


def test_parts_are_the_publishers(root: Path) -> None:
    rows = read(root).rows
    assert set(rows["official_split"]) == {"train", "val", "test"}
    named = rows["path"].str.extract(r"/(Train|Val|Test)/").str.to_lowercase()
    assert named.to_list() == rows["official_split"].cast(pl.String).to_list()


def test_pneumonia_is_unknown_where_only_covid19_is_said(root: Path) -> None:
    pneumonia = read(root).rows.group_by("finding_covid19").agg(pl.col("finding_pneumonia").unique().sort())
    assert dict(pneumonia.iter_rows()) == {"present": ["unknown"], "absent": ["present", "absent"]}


@pytest.mark.parametrize(("part", "structures"), [("lung", ["lungs"]), ("infection", ["lungs", "infection"])])
def test_masks_lie_on_their_images(root: Path, part: str, structures: list[str]) -> None:
    corpus = read(root, part=part)
    for image, masks in corpus.rows.select("path", "masks").iter_rows():
        assert [mask["structure"] for mask in masks] == structures
        for mask in masks:
            assert Path(mask["path"]).name == Path(image).name
            assert cv2.imread(str(root / mask["path"])).shape == cv2.imread(str(root / image)).shape
    assert len(corpus.attachments) == len(structures) * corpus.rows.height


def test_only_covid19_needs_infection_masks(root: Path) -> None:
    for label in ("Normal", "Non-COVID"):
        for folder in (root / INFECTION).glob(f"*/{label}/infection masks"):
            for mask in folder.iterdir():
                mask.unlink()
            folder.rmdir()
    rows = read(root, part="infection").rows.with_columns(count=pl.col("masks").list.len())
    assert set(rows.filter(pl.col("finding_covid19") == "present")["count"]) == {2}
    assert set(rows.filter(pl.col("finding_covid19") == "absent")["count"]) == {1}


@pytest.mark.parametrize(
    ("part", "half", "kind"), [("lung", LUNG, "lung masks"), ("infection", INFECTION, "infection masks")]
)
def test_an_image_without_its_mask_is_named(root: Path, part: str, half: str, kind: str) -> None:
    mask = next((root / half).glob(f"*/COVID-19/{kind}/*.png"))
    mask.unlink()
    with pytest.raises(UserError, match=rf"images/{mask.name} has no mask '{mask.stem}\.png' in .*{kind}"):
        read(root, part=part)


def test_a_mask_without_its_image_is_counted(root: Path) -> None:
    image = next((root / LUNG).glob("Train/Normal/images/*.png"))
    image.unlink()
    orphan = image.parent.parent / "lung masks" / image.name
    assert read(root).unlisted == (orphan.relative_to(root).as_posix(),)


def test_a_class_nobody_knows_is_named(root: Path) -> None:
    (root / LUNG / "Train" / "Influenza").mkdir()
    with pytest.raises(UserError, match=r"Train/Influenza: 'Influenza' is not one of the publisher's folders \(COVID"):
        read(root)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the folder .*Lung Segmentation Data does not exist"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["Val", "Test/Normal", "Train/COVID-19/images", "Train/Normal/lung masks"])
def test_a_part_of_a_download_that_is_not_there_is_named(root: Path, name: str) -> None:
    shutil.rmtree(root / LUNG / name)
    with pytest.raises(UserError, match=f"the folder .*{name} does not exist"):
        read(root)


def test_endings_in_capitals_are_found(root: Path) -> None:
    count = read(root).rows.height
    for path in [*(root / LUNG).glob("Train/Normal/*/*.png")]:
        path.rename(path.with_suffix(".PNG"))
    assert read(root).rows.height == count


def test_images_in_both_halves_are_seen_as_shared(root: Path) -> None:
    lung, infection = read(root).rows, read(root, part="infection").rows
    assert set(infection["patient"]) < set(lung["patient"])
    both = infection.join(lung, on="study", suffix="_lung")
    for image, copy in both.select("path", "path_lung").iter_rows():
        assert (root / image).read_bytes() == (root / copy).read_bytes()


def test_patients_are_known_only_where_names_are_those_of_bimcv(root: Path) -> None:
    rows = read(root).rows
    named = rows.filter(pl.col("path").str.contains("/sub-S", literal=True))
    assert (named["patient"] == "bimcv:" + named["path"].str.extract(r"/sub-(S\d+)_")).all()
    assert set(named["view"]) <= {"AP", "PA"}
    assert set(named["finding_covid19"]) == {"present"}
    assert rows["patient_known"].to_list() == rows["path"].str.contains("/sub-S", literal=True).to_list()


@pytest.mark.parametrize("folder", ["images", "lung masks"])
def test_a_file_of_another_kind_is_counted(root: Path, folder: str) -> None:
    other = root / LUNG / "Train" / "Normal" / folder / "Normal (1).bmp"
    other.touch()
    assert read(root).unlisted == (other.relative_to(root).as_posix(),)

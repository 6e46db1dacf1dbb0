"""The phantom trees of the small collections: whole, repeatable, and with the leaks of the real ones."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import pytest

from pipeline.records.digests import file_digest
from pipeline.settings.base import parse
from pipeline.settings.corpora import InventorySettings, PhantomSource
from pipeline.settings.layouts.union import Layout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.inventory import check_inventory, take_inventory
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.sources.phantom.folders import deal_cases
from pipeline.sources.phantom.illness import Illness, fall_ill, is_healthy
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.roster import cohort_studies

SOURCE = PhantomSource(kind="phantom", patients=12, image_size=32)
FORMATS = (
    "covid_qu_ex",
    "qata_cov19",
    "shenzhen_tb",
    "tb_rahman",
    "chestx6",
    "covidx",
    "openmask",
    "kermany",
    "hannover",
)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("collections")
    for layout in FORMATS:
        write_cohort(root / layout, SOURCE, layout)
    return root


def read(trees: Path, layout: str, **settings: Any) -> RawCorpus:
    return read_corpus(Trees.alone(trees / layout), parse(Layout, {"format": layout, **settings}))


def digests(folder: Path, pattern: str = "**/*") -> dict[str, str]:
    files = (path for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


@pytest.mark.parametrize("layout", FORMATS)
def test_nothing_is_missing_or_unreadable(trees: Path, layout: str) -> None:
    corpus = read(trees, layout)
    own = Trees.alone(trees / layout)
    inventory = take_inventory(own, corpus, checksums=False)
    check_inventory(inventory, layout, own, InventorySettings())
    assert corpus.rows["key"].is_unique().all()
    for path in corpus.rows["path"]:
        assert cv2.imread(str(trees / layout / path), cv2.IMREAD_GRAYSCALE).std() > 20


@pytest.mark.parametrize("layout", FORMATS)
def test_equal_sources_give_equal_bytes(trees: Path, layout: str, tmp_path: Path) -> None:
    write_cohort(tmp_path / "again", SOURCE, layout)
    assert digests(tmp_path / "again") == digests(trees / layout)


@pytest.mark.parametrize("layout", FORMATS)
def test_the_truth_names_the_images(trees: Path, layout: str) -> None:
    images = set(pl.read_csv(trees / layout / "phantom" / "truth.csv")["image"])
    assert set(read(trees, layout).rows["path"]) <= images
    assert all((trees / layout / image).is_file() for image in images)


@pytest.mark.parametrize("layout", ["covid_qu_ex", "chestx6"])
def test_a_patient_is_in_one_official_part(trees: Path, layout: str) -> None:
    truth = pl.read_csv(trees / layout / "phantom" / "truth.csv").select("image", "patient")
    rows = read(trees, layout).rows.join(truth, left_on="path", right_on="image", suffix="_number")
    assert (rows.group_by("patient_number").agg(pl.col("official_split").n_unique())["official_split"] == 1).all()


def test_covid_qu_ex_holds_images_of_qata_also_across_parts(trees: Path) -> None:
    qata = read(trees, "qata_cov19").rows
    covid = read(trees, "covid_qu_ex", part="infection").rows.filter(pl.col("finding_covid19") == "present")
    of_qata = {file_digest(trees / "qata_cov19" / path): split for path, split in _parts(qata)}
    of_covid = {file_digest(trees / "covid_qu_ex" / path): split for path, split in _parts(covid)}
    assert of_covid
    assert of_covid.keys() <= of_qata.keys()
    assert any(of_qata[digest] == "test" and split != "test" for digest, split in of_covid.items())


def test_patients_of_bimcv_are_the_same_in_covid_qu_ex_and_qata(trees: Path) -> None:
    qata, covid = (read(trees, layout).rows.filter("patient_known") for layout in ("qata_cov19", "covid_qu_ex"))
    assert 0 < covid["patient"].n_unique() < qata["patient"].n_unique()
    both = covid.join(qata, on=["patient", "study"], suffix="_of_qata")
    assert both.height == covid.height
    for one, other in both.select("path", "path_of_qata").iter_rows():
        assert file_digest(trees / "covid_qu_ex" / one) == file_digest(trees / "qata_cov19" / other)


def test_chestx6_copies_in_val_are_near_duplicates_of_training_images(trees: Path) -> None:
    copies = [*(trees / "chestx6").glob("chest-xray/val/*/augmented_*")]
    assert copies
    for copy in copies:
        original = trees / "chestx6" / "chest-xray" / "train" / copy.parent.name / copy.name.split("_", 2)[2]
        mirrored = cv2.imread(str(copy), cv2.IMREAD_GRAYSCALE)[:, ::-1]
        pair = np.corrcoef(mirrored.ravel(), cv2.imread(str(original), cv2.IMREAD_GRAYSCALE).ravel())
        assert pair[0, 1] > 0.95


def test_each_class_is_in_every_part_where_it_has_three_patients() -> None:
    illnesses = [Illness.NONE, Illness.COVID19, Illness.TUBERCULOSIS]
    parts = {(case.illness, case.part) for case in deal_cases(SOURCE, illnesses, "any")}
    assert parts == {(illness, part) for illness in illnesses for part in ("train", "val", "test")}


def test_the_held_out_share_is_that_of_the_source() -> None:
    source = SOURCE.model_copy(update={"patients": 40, "test_fraction": 0.25})
    parts = {case.patient.number: case.part for case in deal_cases(source, [Illness.COVID19], "any")}
    assert sum(part == "test" for part in parts.values()) == 10
    assert "test" not in {
        case.part for case in deal_cases(SOURCE.model_copy(update={"test_fraction": 0.0}), [Illness.NONE], "any")
    }


def test_an_illness_shows_and_health_does_not() -> None:
    for _, study in cohort_studies(SOURCE):
        assert is_healthy(fall_ill(study, Illness.NONE))
        assert fall_ill(study, Illness.COVID19).has(Finding.CONSOLIDATION)
        assert fall_ill(study, Illness.TUBERCULOSIS).has(Finding.LUNG_NODULE)
        ill = fall_ill(study, Illness.BACTERIAL_PNEUMONIA)
        assert ill.severity(Finding.CONSOLIDATION) > fall_ill(study, Illness.VIRAL_PNEUMONIA).severity(
            Finding.CONSOLIDATION
        )
        assert ill.physiology.inflammation > study.physiology.inflammation
        assert fall_ill(study, Illness.EMPHYSEMA).physiology.obstruction > study.physiology.obstruction


def test_hannover_has_the_columns_of_the_real_table(trees: Path, real_data: Path) -> None:
    real = pl.read_csv(real_data / "hannover_cxr_labs" / "data.csv", infer_schema=False)
    ours = pl.read_csv(trees / "hannover" / "data.csv", infer_schema=False)
    assert ours.columns == real.columns
    for column in ("sex", "modality", "projection"):
        assert set(ours[column]) <= set(real[column])


def test_hannover_blood_values_look_like_the_real_ones(tmp_path: Path, real_data: Path) -> None:
    write_cohort(tmp_path / "raw", SOURCE.model_copy(update={"patients": 60}), "hannover")
    real = pl.read_csv(real_data / "hannover_cxr_labs" / "data.csv", infer_schema=False)
    ours = pl.read_csv(tmp_path / "raw" / "data.csv", infer_schema=False)
    for column in [name for name in real.columns if name.endswith("_val")]:
        expected, made = (table[column].drop_nulls().cast(pl.Float64) for table in (real, ours))
        assert made.len() / ours.height == pytest.approx(expected.len() / real.height, abs=0.15)
        low, high = expected.quantile(0.1), expected.quantile(0.9)
        assert low <= made.median() <= high  # type: ignore[operator]


def test_inflammation_raises_crp_and_lowers_lymphocytes(tmp_path: Path) -> None:
    write_cohort(tmp_path / "raw", SOURCE.model_copy(update={"patients": 60}), "hannover")
    truth = pl.read_csv(tmp_path / "raw" / "phantom" / "truth.csv").select("image", "inflammation")
    table = pl.read_csv(tmp_path / "raw" / "data.csv", infer_schema_length=None)
    table = table.join(truth.with_columns(image_id=pl.col("image").str.extract(r"/(\w+)\.png")), on="image_id")
    known = table.filter(pl.col("crp_val").is_not_null())
    assert known.select(pl.corr("crp_val", "inflammation", method="spearman")).item() > 0.6
    known = table.filter(pl.col("lymphocytes_val").is_not_null())
    assert known.select(pl.corr("lymphocytes_val", "inflammation", method="spearman")).item() < -0.2


def _parts(rows: pl.DataFrame) -> list[tuple[str, str]]:
    return list(rows.select("path", pl.col("official_split").cast(pl.String)).iter_rows())

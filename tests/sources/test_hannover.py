"""The COVID-19 Image Repository of Hannover Medical School: its blood values, and its original folder."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.layouts.physiology import HannoverLayout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.adapters.hannover import LAB_COLUMNS
from pipeline.sources.labs.matrix import lab_matrix
from pipeline.sources.locations import Trees

HEADER = (
    "patient_id,image_id,sex,age,size,weight,admission_offset,icu_admission_offset,icu_release_offset,death_offset,"
    "modality,projection,crp_offset,crp_val,d-dimer_offset,d-dimer_val,factor_xii_offset,factor_xii_val,ldh_offset,"
    "ldh_val,lymphocytes_offset,lymphocytes_val,neutrophils_offset,neutrophils_val,pco2_offset,pco2_val,po2_offset,"
    "po2_val"
)
ROWS = (
    "p1,aa,f,,,,0,,,,CR,pa,0.0,3.0,0.0,0.3,,,,,0.0,1.8,0.0,3.1,0.0,30.0,0.0,30.0",
    "p2,bb,w,,,,0,0.0,4.0,,CR,ap,0.0,-inf,0.0,inf,,,,,,,,,,,,",
    "p3,cc,m,,,,-2,,,5,CR,ap,,,,,,,,,,,,,,,,",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "png").mkdir()
    (tmp_path / "data.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
    for name in ("aa", "bb"):
        (tmp_path / "png" / f"{name}.png").write_bytes(b"")
    return tmp_path


def read(root: Path, **settings: str) -> RawCorpus:
    return read_corpus(Trees.alone(root), HannoverLayout(format="hannover", **settings))


def test_blood_values_are_listed_by_the_publishers_names(root: Path) -> None:
    rows = read(root).rows
    assert rows.schema == ROW_SCHEMA
    first, second, third = rows["labs"].to_list()
    assert {lab["item"]: lab["value"] for lab in first} == {
        "crp": 3.0,
        "d-dimer": 0.3,
        "lymphocytes": 1.8,
        "neutrophils": 3.1,
        "pco2": 30.0,
        "po2": 30.0,
    }
    assert {lab["item"]: lab["value"] for lab in second} == {"crp": -np.inf, "d-dimer": np.inf}
    assert third is None


def test_the_publishers_folder_needs_no_settings(root: Path) -> None:
    (root / "png" / "dd.png").write_bytes(b"")
    corpus = read(root)
    assert corpus.rows["path"].to_list() == ["png/aa.png", "png/bb.png", "png/cc.png"]
    assert corpus.unlisted == ("png/dd.png",)
    assert corpus.attachments == ()


def test_a_value_that_is_no_number_is_refused(root: Path) -> None:
    table = root / "data.csv"
    table.write_text(table.read_text().replace("0.0,3.0,0.0,0.3", "0.0,high,0.0,0.3"))
    with pytest.raises(UserError, match=r"data\.csv, line 2: 'high' in column 'crp_val' is not a number"):
        read(root)


def test_the_real_values_are_those_of_the_table(real_data: Path) -> None:
    root = real_data / "hannover_cxr_labs"
    rows = read(root, images="images/*.jpg").rows
    table = pl.read_csv(root / "data.csv", infer_schema_length=None)
    expected = table.select(pl.col(column).cast(pl.Float64) for column in LAB_COLUMNS).fill_null(np.nan).to_numpy()
    np.testing.assert_array_equal(lab_matrix(rows["labs"], list(LAB_COLUMNS.values())), expected)
    assert 0.3 < np.isfinite(expected).mean() < 0.9
    assert all((root / path).is_file() for path in rows["path"])

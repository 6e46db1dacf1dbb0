"""The phantom's Symile-MIMIC is as published, and its percentiles, which scipy computed, are ours."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.physiology import SymileMimicLayout
from pipeline.sources.adapter import read_corpus
from pipeline.sources.labs.ecdf import LabScale
from pipeline.sources.labs.items import LAB_ITEMS, LAB_NAMES
from pipeline.sources.labs.matrix import lab_matrix
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.trees import symile_mimic

SOURCE = PhantomSource(kind="phantom", patients=40, image_size=32)
PARTS = ("train", "val", "test")
LAYOUT = SymileMimicLayout(format="symile_mimic")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("symile")
    symile_mimic.write_tree(root, SOURCE)
    return root


def array(root: Path, name: str, part: str) -> np.ndarray:
    loaded: np.ndarray = np.load(root / "data_npy" / part / f"{name}_{part}.npy", allow_pickle=False)
    return loaded


def test_the_arrays_have_the_published_shapes(published: Path) -> None:
    for part in ("train", "val", "val_retrieval", "test"):
        rows = pl.read_csv(published / f"{part}.csv").height
        shapes = {
            "cxr": (3, SOURCE.image_size, SOURCE.image_size),
            "ecg": (1, 5000, 12),
            "labs_percentiles": (50,),
            "labs_missingness": (50,),
        }
        for name, shape in shapes.items():
            assert array(published, name, part).shape == (rows, *shape)
        cxr, ecg, labs = (array(published, name, part) for name in ("cxr", "ecg", "labs_percentiles"))
        assert cxr.dtype == ecg.dtype == labs.dtype == np.float32
        assert array(published, "labs_missingness", part).dtype == np.int64
        assert cxr.min() >= -2.1180
        assert cxr.max() <= 2.6401
        np.testing.assert_allclose(ecg.min(axis=(1, 2, 3)), -1, atol=1e-6)
        np.testing.assert_allclose(ecg.max(axis=(1, 2, 3)), 1, atol=1e-6)


def test_tables_have_the_published_columns(published: Path) -> None:
    labels = ["Atelectasis", "Cardiomegaly", "Edema", "Lung Opacity", "No Finding", "Pleural Effusion"]
    plain = ["subject_id", "hadm_id", "cxr_path", *labels, "ecg_path", *LAB_NAMES]
    plain += [f"{item}_percentile" for item in LAB_NAMES]
    assert pl.read_csv(published / "train.csv").columns == plain
    for part in ("val", "val_retrieval", "test"):
        assert pl.read_csv(published / f"{part}.csv").columns == [*plain, "label_hadm_id", "label"]


def test_rows_of_the_val_part_are_queries_of_themselves(published: Path) -> None:
    val = pl.read_csv(published / "val.csv")
    assert val["label_hadm_id"].to_list() == val["hadm_id"].to_list()
    assert set(val["label"]) == {1}


def test_every_query_has_itself_and_others_as_candidates(published: Path) -> None:
    table = pl.read_csv(published / "test.csv")
    for (query,), rows in table.group_by("label_hadm_id"):
        assert rows.filter(pl.col("label") == 1)["hadm_id"].to_list() == [query]
        assert rows.height == 10
        assert rows["hadm_id"].is_unique().all()
    queries = table.filter(pl.col("label") == 1)
    assert queries.height == 12
    assert queries["label_hadm_id"].is_unique().all()


def test_our_percentiles_are_the_published_ones(published: Path) -> None:
    rows = read_corpus(Trees.alone(published), LAYOUT).rows
    values = {part: lab_matrix(rows.filter(pl.col("official_split") == part)["labs"], LAB_ITEMS) for part in PARTS}
    scale = LabScale.fit(values["train"])
    means = json.loads((published / "labs_means.json").read_text())
    np.testing.assert_allclose(scale.means, [means[f"{item}_percentile"] for item in LAB_ITEMS], rtol=1e-12)
    for part in PARTS:
        ours = scale.transform(values[part])
        kept = array(published, "label", part) == 1 if part == "test" else slice(None)
        np.testing.assert_allclose(ours.values, array(published, "labs_percentiles", part)[kept], rtol=0, atol=1e-7)
        measured_in_train = ~np.isnan(values["train"]).all(axis=0)
        observed = array(published, "labs_missingness", part)[kept] == 1
        np.testing.assert_array_equal(ours.observed, observed & measured_in_train)
        assert 0.55 < observed.mean() < 0.85


def test_equal_sources_give_equal_bytes_and_even_one_patient_a_tree(tmp_path: Path) -> None:
    one = SOURCE.model_copy(update={"patients": 1, "test_fraction": 0.0})
    trees = [tmp_path / name for name in ("first", "second")]
    for root in trees:
        root.mkdir()
        symile_mimic.write_tree(root, one)
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()} for root in trees
    )
    assert first == second
    assert read_corpus(Trees.alone(trees[0]), LAYOUT).rows.height == 1

"""Symile-MIMIC, as the phantom writes it: both variants, its arrays, and what is refused."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.ecg import EcgReadingSettings
from pipeline.settings.layouts.physiology import SymileMimicLayout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.ecg.record import read_record
from pipeline.sources.ecg.reference import read_ecg
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.trees import mimic_cxr, mimic_iv_ecg, symile_mimic

SOURCE = PhantomSource(kind="phantom", patients=40, image_size=32)
PARTS = ("train", "val", "test")
ARRAYS = SymileMimicLayout(format="symile_mimic")
RAW = SymileMimicLayout(format="symile_mimic", variant="raw", images_of="cxr", ecg_of="ecg")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("symile") / "raw"
    root.mkdir()
    symile_mimic.write_tree(root, SOURCE)
    return root


@pytest.fixture(scope="module")
def corpus(published: Path) -> RawCorpus:
    return read_corpus(Trees.alone(published), ARRAYS)


@pytest.fixture
def root(published: Path, tmp_path: Path) -> Path:
    """Return a tree of links to the published files; to change one, write it anew."""
    for path in published.rglob("*"):
        if path.is_file() and "phantom" not in path.parts[-3:]:
            link = tmp_path / path.relative_to(published)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    return tmp_path


def array(root: Path, name: str, part: str) -> np.ndarray:
    loaded: np.ndarray = np.load(root / "data_npy" / part / f"{name}_{part}.npy", allow_pickle=False)
    return loaded


def rewrite_table(root: Path, table: str, change: dict[str, tuple[int, str | None]]) -> None:
    """Set one cell of each named column in a table, by its row from 0."""
    frame = pl.read_csv(root / table, infer_schema=False)
    for column, (row, value) in change.items():
        cells = frame[column].to_list()
        cells[row] = value
        frame = frame.with_columns(pl.Series(column, cells, dtype=pl.String))
    (root / table).unlink()
    frame.write_csv(root / table)


def test_each_admission_is_one_row(corpus: RawCorpus, published: Path) -> None:
    assert corpus.rows.schema == ROW_SCHEMA
    assert dict(corpus.rows["official_split"].cast(str).value_counts().iter_rows()) == {
        "train": 26,
        "val": 2,
        "test": 12,
    }
    assert corpus.rows["key"].is_unique().all()
    assert corpus.rows["patient"].is_unique().all()
    for part in PARTS:
        rows = corpus.rows.filter(pl.col("official_split") == part)
        for key, path, ecg in rows.select("key", "path", "ecg").iter_rows():
            file, row = path.split("#")
            assert file == f"data_npy/{part}/cxr_{part}.npy"
            assert ecg == f"data_npy/{part}/ecg_{part}.npy#{row}"
            assert key == f"hadm{array(published, 'hadm_id', part)[int(row)]}"


def test_what_the_rows_name_is_in_the_inventory(corpus: RawCorpus, published: Path) -> None:
    assert set(corpus.attachments) == {f"data_npy/{part}/ecg_{part}.npy" for part in PARTS}
    assert set(corpus.tables) == {f"{part}.csv" for part in PARTS} | {
        f"data_npy/{part}/hadm_id_{part}.npy" for part in PARTS
    }
    assert all((published / path).is_file() for path in (*corpus.tables, *corpus.attachments))


def test_findings_are_those_of_the_table_and_the_others_unknown(corpus: RawCorpus, published: Path) -> None:
    train = corpus.rows.filter(pl.col("official_split") == "train")
    codes = {"1.0": "present", "0.0": "absent", "-1.0": "uncertain", None: "unknown"}
    table = pl.read_csv(published / "train.csv", infer_schema=False)
    assert train["finding_cardiomegaly"].to_list() == [codes[code] for code in table["Cardiomegaly"]]
    assert train["finding_pleural_effusion"].to_list() == [codes[code] for code in table["Pleural Effusion"]]
    assert len(set(train["finding_cardiomegaly"])) > 2
    assert set(corpus.rows["finding_pneumonia"]) == {"unknown"}


def test_raw_rows_name_files_of_the_corpora_they_borrow_from(
    published: Path, corpus: RawCorpus, tmp_path: Path
) -> None:
    images, ecg = tmp_path / "cxr", tmp_path / "ecg"
    for root, writer in ((images, mimic_cxr), (ecg, mimic_iv_ecg)):
        root.mkdir()
        writer.write_tree(root, SOURCE.model_copy(update={"patients": 3}))
    rows = read_corpus(Trees(published, images, ecg), RAW).rows
    written = rows.filter(pl.col("official_split") == "train").head(3)
    assert [(images / path).is_file() for path in written["path"]] == [True] * 3
    assert [(ecg / f"{path}.hea").is_file() for path in written["ecg"]] == [True] * 3
    shared = ("key", "patient", "study", "official_split", "labs", "finding_cardiomegaly")
    assert rows.select(shared).equals(corpus.rows.select(shared))
    for reference, record in zip(corpus.rows["ecg"], written["ecg"], strict=False):
        scaled = read_ecg(published, reference, EcgReadingSettings()).signals
        millivolts = read_record(ecg / record, EcgReadingSettings()).signals
        low, high = millivolts.min(), millivolts.max()
        np.testing.assert_allclose(scaled, 2 * (millivolts - low) / (high - low) - 1, atol=1e-5)


def test_raw_needs_no_arrays(root: Path) -> None:
    for path in (root / "data_npy").rglob("*.npy"):
        path.unlink()
    corpus = read_corpus(Trees(root, root, root), RAW)
    assert corpus.rows.height == 40
    assert (corpus.tables, corpus.attachments) == (("train.csv", "val.csv", "test.csv"), ())


def test_patients_and_studies_are_named_as_in_the_phantom_mimic_cxr(corpus: RawCorpus, published: Path) -> None:
    table = pl.read_csv(published / "train.csv", infer_schema=False)
    folder = table["cxr_path"].str.extract_groups(r"p(\d{8})/s(\d{8})/").struct.unnest()
    train = corpus.rows.filter(pl.col("official_split") == "train")
    assert train["patient"].to_list() == ("mimic:" + folder["1"]).to_list()
    assert train["study"].to_list() == ("mimic:" + folder["2"]).to_list()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"variant": "raw"}, "variant 'raw' needs images_of"),
        ({"variant": "raw", "images_of": "cxr"}, "variant 'raw' needs ecg_of"),
        ({"images_of": "cxr"}, "images_of has no effect with variant 'arrays'"),
        ({"ecg_of": "ecg"}, "ecg_of has no effect with variant 'arrays'"),
    ],
)
def test_lenders_go_with_the_raw_variant_only(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        SymileMimicLayout.model_validate({"format": "symile_mimic", **settings})


def test_lenders_are_borrowed_from() -> None:
    assert RAW.borrowed() == {"images": "cxr", "ecg": "ecg"}
    assert ARRAYS.borrowed() == {}


def test_what_is_left_out_is_counted_in_the_log(published: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="pipeline"):
        read_corpus(Trees.alone(published), ARRAYS)
    assert "test.csv: 108 rows are candidates of other queries and are left out" in caplog.text
    assert "val_retrieval.csv: its 4 rows repeat the val part" in caplog.text


def test_arrays_in_another_order_are_refused(root: Path) -> None:
    file = root / "data_npy" / "train" / "hadm_id_train.npy"
    numbers = array(root, "hadm_id", "train")[::-1]
    file.unlink()
    np.save(file, numbers)
    with pytest.raises(UserError, match=r"hadm_id_train\.npy does not list the 26 admissions of the table of part"):
        read_corpus(Trees.alone(root), ARRAYS)


def test_an_array_cut_short_is_refused(root: Path) -> None:
    file = root / "data_npy" / "val" / "ecg_val.npy"
    kept = array(root, "ecg", "val")[:-1]
    file.unlink()
    np.save(file, kept)
    with pytest.raises(UserError, match=r"ecg_val\.npy does not have the 2 rows of the table of part 'val'"):
        read_corpus(Trees.alone(root), ARRAYS)


def test_pickled_arrays_are_not_opened(root: Path) -> None:
    file = root / "data_npy" / "val" / "hadm_id_val.npy"
    file.unlink()
    np.save(file, np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"hadm_id_val\.npy is not a readable array"):
        read_corpus(Trees.alone(root), ARRAYS)


def test_absent_arrays_of_identifiers_are_named(root: Path) -> None:
    (root / "data_npy" / "test" / "hadm_id_test.npy").unlink()
    with pytest.raises(UserError, match=r"hadm_id_test\.npy does not exist"):
        read_corpus(Trees.alone(root), ARRAYS)


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("Edema", "2.0", r"train\.csv, line 4: '2\.0' in column 'Edema' is none of 1\.0, 0\.0, -1\.0 and blank"),
        ("50912", "high", r"train\.csv, line 4: 'high' in column '50912' is not a number"),
        ("subject_id", "123", r"train\.csv, line 4: column 'subject_id' holds nothing of the publisher's form"),
        ("cxr_path", None, r"train\.csv, line 4: column 'cxr_path' holds nothing of the publisher's form"),
    ],
)
def test_a_wrong_cell_is_named(root: Path, column: str, value: str | None, sentence: str) -> None:
    rewrite_table(root, "train.csv", {column: (2, value)})
    with pytest.raises(UserError, match=sentence):
        read_corpus(Trees.alone(root), ARRAYS)


def test_a_label_that_is_neither_0_nor_1_is_refused(root: Path) -> None:
    rewrite_table(root, "test.csv", {"label": (0, "yes")})
    with pytest.raises(UserError, match=r"test\.csv, line 2: column 'label' is not 0 or 1"):
        read_corpus(Trees.alone(root), ARRAYS)


def test_a_table_without_a_laboratory_item_is_refused(root: Path) -> None:
    table = pl.read_csv(root / "val.csv", infer_schema=False).drop("51221")
    (root / "val.csv").unlink()
    table.write_csv(root / "val.csv")
    with pytest.raises(UserError, match=r"val\.csv has no column '51221'"):
        read_corpus(Trees.alone(root), ARRAYS)

"""MS-CXR: phrases and boxes, one row per image."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.mimic_derived import MsCxrLayout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.adapters.ms_cxr import CATEGORY_NAMES
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort

SOURCE = PhantomSource(kind="phantom", patients=30, image_size=40)
LAYOUT = MsCxrLayout(format="ms_cxr", images_of="mimic")
TABLE = "MS_CXR_Local_Alignment_v1.1.0.csv"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    base = tmp_path_factory.mktemp("raw")
    write_cohort(base / "mimic", SOURCE, "mimic_cxr")
    write_cohort(base / "ms", SOURCE, "ms_cxr")
    return Trees(base / "ms", base / "mimic", base / "ms")


@pytest.fixture(scope="module")
def corpus(trees: Trees) -> RawCorpus:
    return read_corpus(trees, LAYOUT)


@pytest.fixture(scope="module")
def table(trees: Trees) -> pl.DataFrame:
    return pl.read_csv(trees.own / TABLE)


def test_each_annotated_image_has_one_row(corpus: RawCorpus, table: pl.DataFrame, trees: Trees) -> None:
    assert corpus.rows.schema == ROW_SCHEMA
    assert corpus.rows["key"].to_list() == table["dicom_id"].unique(maintain_order=True).to_list()
    assert all((trees.images / path).is_file() for path in corpus.rows["path"])
    split = table.unique("dicom_id", maintain_order=True)["split"]
    assert corpus.rows["official_split"].cast(pl.String).to_list() == split.to_list()


def test_every_box_of_the_table_is_kept_with_its_phrase(corpus: RawCorpus, table: pl.DataFrame) -> None:
    boxes = corpus.rows.select("key", "boxes").explode("boxes").unnest("boxes")
    expected = table.select("dicom_id", "label_text", *"xywh").cast(dict.fromkeys("xywh", pl.Float32))
    assert sorted(boxes.drop("reader").rows()) == sorted(expected.rows())
    assert table.group_by("dicom_id", "label_text").len()["len"].max() == 2  # a phrase with two boxes


def test_the_categories_of_an_image_are_present_and_nothing_is_said_of_others(
    corpus: RawCorpus, table: pl.DataFrame
) -> None:
    named = {(image, CATEGORY_NAMES[category]) for image, category in table.select("dicom_id", "category_name").rows()}
    for row in corpus.rows.iter_rows(named=True):
        for finding in CATEGORY_NAMES.values():
            assert row[f"finding_{finding}"] == ("present" if (row["key"], finding) in named else "unknown")


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        ("category_name", "Mass", "line 2: 'Mass' in column 'category_name' is not one of MS-CXR's eight"),
        ("w", "0", "line 2: '0' in column 'w' is not a number of at least 1"),
        ("x", "-1", "line 2: '-1' in column 'x' is not a number of at least 0"),
        ("image_height", "9", "line 2: column 'image_height' is not the size of the image in MIMIC-CXR-JPG"),
        ("dicom_id", "nobody", "line 2: the image is not in MIMIC-CXR-JPG's table of images"),
        ("split", "dev", "line 2: column 'split' is none of"),
        ("label_text", "", "line 2: column 'label_text' is blank"),
    ],
)
def test_a_wrong_cell_is_refused(
    trees: Trees, table: pl.DataFrame, tmp_path: Path, column: str, cell: str, sentence: str
) -> None:
    text = table.cast(pl.String).with_row_index("row")
    wrong = pl.when(pl.col("row") == 0).then(pl.lit(cell)).otherwise(pl.col(column)).alias(column)
    text.with_columns(wrong).drop("row").write_csv(tmp_path / TABLE)
    with pytest.raises(UserError, match=rf"v1\.1\.0\.csv, .*{sentence}"):
        read_corpus(Trees(tmp_path, trees.images, tmp_path), LAYOUT)


def test_an_image_in_two_parts_is_refused(trees: Trees, table: pl.DataFrame, tmp_path: Path) -> None:
    twice = pl.concat(
        [table, table.head(1).with_columns(split=pl.lit("test" if table["split"][0] != "test" else "val"))]
    )
    twice.write_csv(tmp_path / TABLE)
    with pytest.raises(UserError, match=rf"line {table.height + 2}: the image is in another part than in an earlier"):
        read_corpus(Trees(tmp_path, trees.images, tmp_path), LAYOUT)

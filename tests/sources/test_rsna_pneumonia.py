import json
from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.chest_xray import NihCxr14Layout, RsnaPneumoniaLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters import nih_cxr14
from pipeline.sources.adapters.rsna_pneumonia import read_corpus
from pipeline.sources.inventory import take_inventory
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.trees import nih_cxr14 as nih_tree
from pipeline.sources.phantom.trees.rsna_pneumonia import write_tree

LAYOUT = RsnaPneumoniaLayout(format="rsna_pneumonia")
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
LABELS = "patientId,x,y,width,height,Target"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a sick, a normal and an otherwise abnormal film; there are no image files."""
    labels = ["a,10.0,20.0,30.0,40.0,1", "a,50.0,60.0,7.0,8.0,1", "b,,,,,0", "c,,,,,0"]
    classes = ["a,Lung Opacity", "a,Lung Opacity", "b,Normal", "c,No Lung Opacity / Not Normal"]
    (tmp_path / "stage_2_train_labels.csv").write_text("\n".join([LABELS, *labels]) + "\n")
    (tmp_path / "stage_2_detailed_class_info.csv").write_text("\n".join(["patientId,class", *classes]) + "\n")
    return tmp_path


def read(root: Path, **settings: str | None) -> RawCorpus:
    return read_corpus(Trees.alone(root), LAYOUT.model_copy(update=settings))


def column(corpus: RawCorpus, name: str) -> dict[str, object]:
    return dict(corpus.rows.select("key", name).iter_rows())


def test_an_image_has_one_row_and_all_its_boxes(root: Path) -> None:
    corpus = read(root)
    assert corpus.rows.schema == ROW_SCHEMA
    assert column(corpus, "finding_pneumonia") == {"a": "present", "b": "absent", "c": "absent"}
    assert column(corpus, "finding_no_finding") == {"a": "absent", "b": "present", "c": "absent"}
    boxes = corpus.rows["boxes"].to_list()
    first = {"label": "pneumonia", "reader": None, "left": 10.0, "top": 20.0, "width": 30.0, "height": 40.0}
    assert boxes[0][0] == first
    assert [len(of_image) for of_image in boxes] == [2, 0, 0]
    assert corpus.rows["path"].to_list() == [f"stage_2_train_images/{key}.dcm" for key in "abc"]
    assert corpus.rows["official_split"].null_count() == 3


def test_without_the_class_table_a_film_without_pneumonia_may_be_anything(root: Path) -> None:
    corpus = read(root, class_table=None)
    assert column(corpus, "finding_no_finding") == {"a": "absent", "b": "unknown", "c": "unknown"}
    assert corpus.tables == ("stage_2_train_labels.csv",)


def test_patients_are_unknown_unless_the_mapping_names_them(root: Path) -> None:
    corpus = read(root)
    assert column(corpus, "patient") == {key: f"rsna:{key}" for key in "abc"}
    assert not corpus.rows["patient_known"].any()
    (root / MAPPING).write_text(json.dumps([{"subset_img_id": "a", "img_id": "00000061_003.png"}]))
    mapped = read(root, nih_mapping=MAPPING)
    assert column(mapped, "patient") == {"a": "nih:00000061", "b": "rsna:b", "c": "rsna:c"}
    assert column(mapped, "patient_known") == {"a": True, "b": False, "c": False}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("b,,,,,0", "b,,,,,2", r"labels\.csv, line 4: '2' in column 'Target' is neither 0 nor 1"),
        ("b,,,,,0", "b,,,,,", r"labels\.csv, line 4: '' in column 'Target' is neither 0 nor 1"),
        ("20.0,30.0", ",30.0", r"labels\.csv, line 2: Target is 1 but the box lacks a side"),
        ("Target", "target", r"labels\.csv has no column 'Target'"),
    ],
)
def test_a_wrong_table_is_refused_by_line(root: Path, old: str, new: str, sentence: str) -> None:
    table = root / "stage_2_train_labels.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=sentence):
        read(root)


def test_a_class_nobody_knows_is_refused_by_line(root: Path) -> None:
    table = root / "stage_2_detailed_class_info.csv"
    table.write_text(table.read_text().replace("b,Normal", "b,normal"))
    with pytest.raises(UserError, match=r"class_info\.csv, line 4: 'normal' in column 'class' is no class"):
        read(root)


@pytest.mark.parametrize("text", ["{", "[1]", '[{"img_id": "x"}]'])
def test_a_mapping_of_another_form_is_refused(root: Path, text: str) -> None:
    (root / MAPPING).write_text(text)
    with pytest.raises(UserError, match=r"mappings_2018\.json is not the publisher's list"):
        read(root, nih_mapping=MAPPING)


def test_the_phantom_is_whole_and_shares_its_patients_with_the_phantom_chestxray14(tmp_path: Path) -> None:
    source = PhantomSource(kind="phantom", patients=12, image_size=32)
    for name, write in (("rsna", write_tree), ("nih", nih_tree.write_tree)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, source)
    corpus = read(tmp_path / "rsna", nih_mapping=MAPPING)
    assert set(take_inventory(Trees.alone(tmp_path / "rsna"), corpus, checksums=False)["state"]) == {"present"}
    nih = nih_cxr14.read_corpus(Trees.alone(tmp_path / "nih"), NihCxr14Layout(format="nih_cxr14")).rows
    first = nih.filter(pl.col("key").str.ends_with("_000")).sort("patient")
    mine = corpus.rows.sort("patient")
    assert mine.height == 12
    assert mine.select("patient", "view", "sex", "age").rows() == first.select("patient", "view", "sex", "age").rows()
    boxed = mine.filter(pl.col("finding_pneumonia") == "present")
    assert 0 < boxed.height < 12
    assert (boxed["boxes"].list.len() > 0).all()


def test_equal_phantom_sources_give_equal_bytes(tmp_path: Path) -> None:
    trees = tmp_path / "one", tmp_path / "two"
    for root in trees:
        root.mkdir()
        write_tree(root, PhantomSource(kind="phantom", patients=4, image_size=32))
    one, two = ({p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()} for root in trees)
    assert one == two

import gzip
from pathlib import Path

import polars as pl
import pytest

from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.chest_xray import NihCxr14Layout
from pipeline.sources.adapters.nih_cxr14 import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.trees.nih_cxr14 import write_tree

LAYOUT = NihCxr14Layout(format="nih_cxr14", boxes_table="BBox_List_2017.csv")
REAL = NihCxr14Layout(
    format="nih_cxr14",
    table="metadata/Data_Entry_2017_v2020.csv.gz",
    train_val_list="metadata/train_val_list.txt.gz",
    test_list="metadata/test_list.derived_complement.txt.gz",
    boxes_table="metadata/BBox_List_2017.csv.gz",
    images="images_64px/*.png",
)
BOX_COUNTS = {  # of the publisher's table
    "atelectasis": 180,
    "cardiomegaly": 146,
    "infiltration": 123,
    "mass": 85,
    "nodule": 79,
    "pleural_effusion": 153,
    "pneumonia": 120,
    "pneumothorax": 98,
}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nih")
    write_tree(root, PhantomSource(kind="phantom", patients=40, image_size=32))
    return root


def read(root: Path, layout: NihCxr14Layout = LAYOUT, **settings: str | None) -> pl.DataFrame:
    return read_corpus(Trees.alone(root), layout.model_copy(update=settings)).rows


def test_the_real_boxes_are_all_read(real_data: Path) -> None:
    rows = read(real_data / "nih_cxr14", REAL)
    boxes = rows.select("key", "boxes").drop_nulls().explode("boxes").unnest("boxes")
    assert dict(boxes["label"].value_counts().iter_rows()) == BOX_COUNTS
    assert boxes["key"].n_unique() == 880
    first = boxes.filter(key="00013118_008").row(0, named=True)
    assert [round(first[side]) for side in ("left", "top", "width", "height")] == [225, 547, 87, 79]
    assert (boxes["left"] + boxes["width"]).max() <= 1025


@pytest.mark.parametrize(
    ("cell", "years"),
    [("58", 58), ("058Y", 58), ("011M", 11 / 12), ("002D", 2 / 365.25), ("411", None), ("", None), ("old", None)],
)
def test_ages_are_in_years_whatever_their_unit(phantom: Path, tmp_path: Path, cell: str, years: float | None) -> None:
    for path in phantom.iterdir():
        (tmp_path / path.name).symlink_to(path)
    table = pl.read_csv(phantom / LAYOUT.table, infer_schema=False)
    (tmp_path / LAYOUT.table).unlink()
    table.with_columns(pl.lit(cell).alias("Patient Age")).write_csv(tmp_path / LAYOUT.table)
    (read_as,) = read(tmp_path)["age"].unique()
    assert read_as == pytest.approx(years)


def test_phantom_boxes_lie_on_their_images(phantom: Path) -> None:
    boxes = read(phantom).select("key", "boxes").drop_nulls().explode("boxes").unnest("boxes")
    assert boxes.height > 5
    assert boxes.select((pl.col("left") + pl.col("width")).max(), (pl.col("top") + pl.col("height")).max()).rows()[
        0
    ] <= (32, 32)
    assert read(phantom, boxes_table=None)["boxes"].null_count() == read(phantom).height


@pytest.mark.parametrize("labels", ["", " 0 0 0 1 0 0 0 0 0 0 0 0 0 0"])
def test_an_authors_validation_list_is_cut_out_of_the_training_part(phantom: Path, labels: str) -> None:
    before = read(phantom)
    patients = before.filter(official_split="train")["patient"].unique().sort()[:5]
    wanted = set(before.filter(pl.col("patient").is_in(patients.implode()))["key"])
    (phantom / "val_official.txt").write_text("".join(f"{key}.png{labels}\n" for key in sorted(wanted)))
    after = read(phantom, val_list="val_official.txt")
    assert set(after.filter(official_split="val")["key"]) == wanted
    changed = after.filter(after["official_split"] != before["official_split"])
    assert set(changed["key"]) == wanted
    corpus = read_corpus(Trees.alone(phantom), LAYOUT.model_copy(update={"val_list": "val_official.txt"}))
    assert "val_official.txt" in corpus.tables


def test_a_validation_image_of_the_test_part_is_refused(phantom: Path) -> None:
    image = (phantom / "test_list.txt").read_text().split()[0]
    (phantom / "leaky.txt").write_text(f"{image}\n")
    with pytest.raises(UserError, match=rf"image '{image}' of leaky\.txt is not in train_val_list\.txt"):
        read(phantom, val_list="leaky.txt")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("{image},Infiltrates,1,2,3,4", r"line 2: 'Infiltrates' in column 'Finding Label' is no finding"),
        ("99999999_000.png,Mass,1,2,3,4", r"line 2: '99999999_000\.png' .* is not in the image table"),
        ("{image},Mass,1,2,3,tall", r"line 2: 'tall' in column 'h\]' is not a number"),
    ],
)
def test_a_wrong_box_is_refused_by_line(phantom: Path, row: str, sentence: str) -> None:
    image = (phantom / "test_list.txt").read_text().split()[0]
    text = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + row.format(image=image) + "\n"
    (phantom / "boxes.csv.gz").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(UserError, match=r"boxes\.csv\.gz, " + sentence):
        read(phantom, boxes_table="boxes.csv.gz")


def test_equal_phantom_sources_give_equal_bytes(tmp_path: Path) -> None:
    trees = tmp_path / "one", tmp_path / "two"
    for root in trees:
        root.mkdir()
        write_tree(root, PhantomSource(kind="phantom", patients=4, image_size=32))
    one, two = ({p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()} for root in trees)
    assert one == two

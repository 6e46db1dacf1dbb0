from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.chest_xray import VindrCxrLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.vindr_cxr import FINDING_NAMES, read_corpus
from pipeline.sources.inventory import take_inventory
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.trees.vindr_cxr import write_tree

LAYOUT = VindrCxrLayout(format="vindr_cxr")
TRAIN_LABELS = "image_id,rad_id," + ",".join([*list(FINDING_NAMES)[:-1], "Other diseases", "No finding"])
TEST_LABELS = TRAIN_LABELS.replace("rad_id,", "").replace("diseases", "disease")
BOXES = "image_id,rad_id,class_name,x_min,y_min,x_max,y_max"


def line(*start: str, present: tuple[str, ...] = ()) -> str:
    """Return a row of labels."""
    return ",".join([*start, *(str(int(name in present)) for name in TRAIN_LABELS.split(",")[2:])])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write two training images and a test image, whose readers disagree; there are no image files."""
    tables = {
        "image_labels_train.csv": [
            TRAIN_LABELS,
            line("aa", "R1", present=("Pneumothorax", "Nodule/Mass")),
            line("aa", "R2", present=("Nodule/Mass", "Other diseases")),
            line("aa", "R3", present=("No finding",)),
            line("bb", "R4", present=("No finding",)),
            line("bb", "R5", present=("No finding",)),
            line("bb", "R6", present=("Enlarged PA",)),
        ],
        "image_labels_test.csv": [TEST_LABELS, line("cc", present=("Pulmonary fibrosis", "Other diseases"))],
        "annotations_train.csv": [
            BOXES,
            "aa,R2,Nodule/Mass,10,20,40.5,60",
            "aa,R1,Pneumothorax,1,2,3,4",
            "aa,R3,No finding,,,,",
            "bb,R4,No finding,,,,",
        ],
        "annotations_test.csv": [BOXES.replace("rad_id,", ""), "cc,Pulmonary fibrosis,5,5,6,7"],
    }
    (tmp_path / "annotations").mkdir()
    for name, lines in tables.items():
        (tmp_path / "annotations" / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def read(root: Path, **settings: int | str | None) -> RawCorpus:
    return read_corpus(Trees.alone(root), LAYOUT.model_copy(update=settings))


def edit(root: Path, table: str, old: str, new: str) -> None:
    path = root / "annotations" / table
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def present(corpus: RawCorpus, key: str) -> set[str]:
    row = corpus.rows.row(by_predicate=pl.col("key") == key, named=True)
    return {column.removeprefix("finding_") for column, value in row.items() if value == "present"}


def test_a_finding_is_present_where_two_of_three_readers_name_it(root: Path) -> None:
    corpus = read(root)
    assert corpus.rows.schema == ROW_SCHEMA
    assert present(corpus, "aa") == {"nodule_or_mass"}
    assert present(corpus, "bb") == {"no_finding"}
    assert present(corpus, "cc") == {"fibrosis", "other_disease"}
    assert set(corpus.rows["finding_pneumothorax"]) == {"absent"}
    assert set(corpus.rows["finding_hernia"]) == {"unknown"}


def test_one_reader_can_be_enough_or_all_be_needed(root: Path) -> None:
    assert present(read(root, min_readers=1), "aa") == {"pneumothorax", "nodule_or_mass", "other_disease", "no_finding"}
    assert present(read(root, min_readers=3), "aa") == set()
    assert present(read(root, min_readers=3), "cc") == {"fibrosis", "other_disease"}


def test_boxes_keep_their_reader_and_none_is_an_empty_list(root: Path) -> None:
    boxes = dict(read(root).rows.select("key", "boxes").iter_rows())
    nodule = {"label": "nodule_or_mass", "reader": "R2", "left": 10, "top": 20, "width": 30.5, "height": 40}
    assert boxes["aa"][0] == nodule
    assert [box["label"] for box in boxes["aa"]] == ["nodule_or_mass", "pneumothorax"]
    assert boxes["bb"] == []
    assert boxes["cc"][0]["reader"] is None


def test_nobody_knows_the_patients_and_the_parts_are_official(root: Path) -> None:
    rows = read(root).rows
    assert rows.select("patient", "patient_known", "view").rows() == [(f"vindr:{k}", False, "PA") for k in rows["key"]]
    assert dict(rows.select("key", "official_split").iter_rows()) == {"aa": "train", "bb": "train", "cc": "test"}


def test_images_that_are_not_there_are_expected_where_the_publisher_has_them(root: Path) -> None:
    assert read(root).rows["path"].to_list() == ["train/aa.dicom", "train/bb.dicom", "test/cc.dicom"]


def test_a_png_copy_is_read_with_two_settings_and_without_boxes(root: Path) -> None:
    for path in ("train/aa.png", "train/bb.png", "train/dd.png", "test/cc.png"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).touch()
    globs = {"train_images": "train/*.png", "test_images": "test/*.png", "train_boxes": None, "test_boxes": None}
    corpus = read(root, **globs)
    assert corpus.rows["path"].to_list() == ["train/aa.png", "train/bb.png", "test/cc.png"]
    assert corpus.rows["boxes"].null_count() == 3
    assert corpus.unlisted == ("train/dd.png",)


@pytest.mark.parametrize(
    ("table", "old", "new", "sentence"),
    [
        ("image_labels_test.csv", "Other disease", "Other diseases", r"labels_test\.csv has no column 'Other disease'"),
        ("image_labels_train.csv", "R5,0", "R5,2", r"train\.csv, line 6: '2' in column 'Aortic .*' is neither 0 nor 1"),
        ("image_labels_train.csv", "aa,R3", "aa,R2", r"train\.csv, line 3: the image stands there twice"),
        ("image_labels_train.csv", "aa,R3", ",R3", r"train\.csv, line 4: column 'image_id' is empty"),
        ("image_labels_test.csv", "\ncc", "\naa", r"annotations_test\.csv, line 2: the image is in no table of labels"),
        (
            "annotations_train.csv",
            "Nodule/Mass",
            "Nodule",
            r"train\.csv, line 2: 'Nodule' in column 'class_name' is no",
        ),
        ("annotations_train.csv", "60\n", "\n", r"annotations_train\.csv, line 2: the box lacks a corner"),
    ],
)
def test_a_wrong_table_is_refused_by_line(root: Path, table: str, old: str, new: str, sentence: str) -> None:
    edit(root, table, old, new)
    with pytest.raises(UserError, match=sentence):
        read(root)


def test_an_image_with_too_few_readers_is_refused(root: Path) -> None:
    edit(root, "image_labels_train.csv", "bb,R4", "ee,R4")
    with pytest.raises(UserError, match=r"line 5: the image has fewer than 2 readers"):
        read(root)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("vindr")
    write_tree(root, PhantomSource(kind="phantom", patients=40, image_size=32))
    return root


def test_the_phantom_is_whole_and_reads_near_the_truth(phantom: Path) -> None:
    corpus = read(phantom)
    assert set(take_inventory(Trees.alone(phantom), corpus, checksums=False)["state"]) == {"present"}
    assert set(corpus.rows["official_split"]) == {"train", "test"}
    assert set(corpus.rows["sex"]) == {"F", "M"}
    assert 0 < corpus.rows["age"].null_count() < corpus.rows.height
    truth = pl.read_csv(phantom / "phantom" / "truth.csv").join(corpus.rows, left_on="image", right_on="path")
    agree = (truth["pleural_effusion"] == 1) == (truth["finding_pleural_effusion"] == "present")
    assert 0.85 < agree.mean() < 1.0


def test_phantom_readers_are_at_odds_only_near_the_threshold(phantom: Path) -> None:
    labels = pl.read_csv(phantom / "annotations" / "image_labels_train.csv")
    votes = labels.group_by("image_id").agg(pl.col("Pleural effusion").sum().alias("votes"))
    truth = pl.read_csv(phantom / "phantom" / "truth.csv").with_columns(
        image_id=pl.col("image").str.extract(r"(\w+)\.dicom")
    )
    margins = truth.join(votes, on="image_id").select(pl.col("pleural_effusion_margin").abs(), "votes")
    split = margins.filter(pl.col("votes").is_in([1, 2]))["pleural_effusion_margin"]
    sure = margins.filter(~pl.col("votes").is_in([1, 2]))["pleural_effusion_margin"]
    assert 0 < len(split) < len(sure)
    assert split.mean() < 0.5 * sure.mean()


def test_equal_phantom_sources_give_equal_bytes(tmp_path: Path) -> None:
    trees = tmp_path / "one", tmp_path / "two"
    for root in trees:
        root.mkdir()
        write_tree(root, PhantomSource(kind="phantom", patients=4, image_size=32))
    one, two = ({p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()} for root in trees)
    assert one == two

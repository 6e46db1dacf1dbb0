"""Phantom cohorts on disk."""

import csv
from pathlib import Path
from pkgutil import iter_modules

import cv2
import numpy as np
import pytest

from pipeline.settings.corpora import PhantomSource
from pipeline.sources import adapters
from pipeline.sources.phantom import trees as phantom_trees
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.sources.phantom.patient import sample_patient
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.study import sample_studies
from pipeline.sources.phantom.trees import chexpert
from pipeline.sources.phantom.trees.nih_cxr14 import mined_labels

SOURCE = PhantomSource(kind="phantom", patients=30, image_size=64, first_patient=11, test_fraction=0.3)
FEW = PhantomSource(kind="phantom", patients=5, image_size=32, first_patient=11, test_fraction=0.3)
LAYOUTS = ["chexpert", "nih_cxr14"]
EVERY_LAYOUT = sorted(module.name for module in iter_modules(phantom_trees.__path__))

CHEXPERT_COLUMNS = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,"
    "Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,"
    "Fracture,Support Devices"
)
NIH_COLUMNS = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("cohorts")
    for layout in LAYOUTS:
        write_cohort(base / layout, SOURCE, layout)
    return {layout: base / layout for layout in LAYOUTS}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", EVERY_LAYOUT)
def test_the_same_settings_give_the_same_bytes(layout: str, tmp_path: Path) -> None:
    for name in ("once", "again"):
        write_cohort(tmp_path / name, FEW, layout)
    assert contents(tmp_path / "once")
    assert contents(tmp_path / "again") == contents(tmp_path / "once")


def test_another_seed_gives_other_patients(tmp_path: Path) -> None:
    write_cohort(tmp_path / "one", FEW, "chexpert")
    write_cohort(tmp_path / "other", FEW.model_copy(update={"seed": 1}), "chexpert")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_every_layout_that_is_read_has_a_phantom() -> None:
    assert sorted(module.name for module in iter_modules(adapters.__path__)) == EVERY_LAYOUT


def test_a_number_is_the_same_person_in_both_layouts(trees: dict[str, Path]) -> None:
    latents = ("age", "sex", "cardiac_load", "fluid", "inflammation", "obstruction", *map(str, Finding))
    people = [
        {
            (row["patient"], row["study"]): [row[name] for name in latents]
            for row in rows(trees[layout] / "phantom" / "truth.csv")
            if row["view"] == "frontal"
        }
        for layout in LAYOUTS
    ]
    assert people[0] == people[1]


def test_more_patients_leave_the_others_as_they_were(trees: dict[str, Path], tmp_path: Path) -> None:
    write_cohort(tmp_path / "few", SOURCE.model_copy(update={"patients": 3}), "nih_cxr14")
    few, many = contents(tmp_path / "few"), contents(trees["nih_cxr14"])
    images = [name for name in few if name.endswith(".png")]
    assert images
    assert all(few[name] == many[name] for name in images)


@pytest.mark.parametrize("table", ["train.csv", "valid.csv"])
def test_chexpert_tables_have_the_publishers_columns_and_values(trees: dict[str, Path], table: str) -> None:
    root = trees["chexpert"]
    assert (root / table).read_text().splitlines()[0] == CHEXPERT_COLUMNS
    for row in rows(root / table):
        prefix, _, inside = row["Path"].partition("/")
        assert prefix == "CheXpert-v1.0-small"
        assert (root / inside).is_file()
        assert row["Sex"] in {"Male", "Female"}
        assert row["Age"].isdigit()
        frontal = row["Frontal/Lateral"] == "Frontal"
        assert row["AP/PA"] in ({"AP", "PA"} if frontal else {""})


def test_chexpert_training_labels_have_blanks_and_doubts_and_validation_labels_do_not(
    trees: dict[str, Path],
) -> None:
    labels = {}
    for table in ("train", "valid"):
        parsed = rows(trees["chexpert"] / f"{table}.csv")
        labels[table] = {row[column] for row in parsed for column in CHEXPERT_COLUMNS.split(",")[5:]}
    assert labels["train"] == {"1.0", "0.0", "-1.0", ""}
    assert labels["valid"] == {"1.0", "0.0"}


def test_chexpert_columns_without_a_phantom_finding_stay_blank_in_training(trees: dict[str, Path]) -> None:
    for row in rows(trees["chexpert"] / "train.csv"):
        assert {row["Edema"], row["Fracture"], row["Pneumonia"], row["Atelectasis"]} == {""}


def test_chexpert_films_are_not_square_and_have_the_asked_short_side(trees: dict[str, Path]) -> None:
    for row in rows(trees["chexpert"] / "train.csv"):
        image = cv2.imread(str(trees["chexpert"] / row["Path"].partition("/")[2]), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert sorted(image.shape) == [64, 79]


def test_nih_table_has_the_publishers_header_and_one_row_per_image(trees: dict[str, Path]) -> None:
    root = trees["nih_cxr14"]
    header, *lines = (root / "Data_Entry_2017_v2020.csv").read_text().splitlines()
    assert header == NIH_COLUMNS
    assert all(len(line.split(",")) == 11 for line in lines)
    assert {line.split(",")[0] for line in lines} == {path.name for path in root.glob("images*/**/*.png")}
    words = {label for line in lines for label in line.split(",")[1].split("|")}
    known = {"No Finding", "Cardiomegaly", "Effusion", "Consolidation", "Pneumothorax", "Nodule"}
    assert words <= known
    assert len(words) > 3


def test_nih_labels_are_mined_with_a_few_errors() -> None:
    patients = [sample_patient(0, number) for number in range(1, 301)]
    pairs = [(patient, study) for patient in patients for study in sample_studies(patient)]
    mined = ["Effusion" in mined_labels(patient, study) for patient, study in pairs]
    truth = [study.has(Finding.PLEURAL_EFFUSION) for _, study in pairs]
    assert 0.01 < np.mean(np.array(mined) != np.array(truth)) < 0.08


def test_official_parts_share_no_patient_and_hold_every_image(trees: dict[str, Path]) -> None:
    nih = trees["nih_cxr14"]
    train, test = _lines(nih / "train_val_list.txt"), _lines(nih / "test_list.txt")
    assert len(train) + len(test) == len(list(nih.glob("images*/**/*.png")))
    parts = {"nih": [{name[:8] for name in train}, {name[:8] for name in test}]}
    parts["chexpert"] = [
        {row["Path"].split("/")[2] for row in rows(trees["chexpert"] / table)} for table in ("train.csv", "valid.csv")
    ]
    for development, held_out in parts.values():
        assert not development & held_out
        assert len(development) == 21
        assert len(held_out) == 9


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_image_has_truth_and_three_masks_of_its_size(layout: str, trees: dict[str, Path]) -> None:
    root = trees[layout]
    for row in rows(root / "phantom" / "truth.csv"):
        image = cv2.imread(str(root / row["image"]), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        stem = row["image"].rpartition(".")[0].replace("/", "_")
        for name in ("lungs", "heart", "lesions"):
            mask = cv2.imread(str(root / "phantom" / "masks" / f"{stem}_{name}.png"), cv2.IMREAD_UNCHANGED)
            assert mask is not None
            assert mask.shape == image.shape
            assert set(np.unique(mask)) <= {0, 255}


def test_a_failing_writer_leaves_the_old_tree_and_nothing_else(
    trees: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: Path, source: PhantomSource) -> None:
        (root / "half.csv").write_text("half")
        raise OSError("disk full")

    root = tmp_path / "corpus"
    root.mkdir()
    (root / "old.csv").write_text("whole")
    monkeypatch.setattr(chexpert, "write_tree", fail)
    with pytest.raises(OSError, match="disk full"):
        write_cohort(root, SOURCE, "chexpert")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "corpus",
        "corpus/old.csv",
    ]


def test_an_existing_tree_is_replaced(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "old.csv").write_text("old")
    write_cohort(root, SOURCE.model_copy(update={"patients": 2}), "nih_cxr14")
    assert not (root / "old.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()

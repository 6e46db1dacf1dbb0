"""What a user reads when the raw files are not what they should be, and what is left behind: nothing."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from corpus_stages import RawFolder

from pipeline.records.errors import UserError
from pipeline.settings.corpora import InventorySettings
from pipeline.settings.layouts.chest_xray import ChexpertLayout, NihCxr14Layout
from pipeline.sources.chexpert_labels import FINDING_NAMES

LAYOUT = NihCxr14Layout(format="nih_cxr14", table="entries.csv", images="images/*.png")
HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "raw"
    (root / "images").mkdir(parents=True)
    rows = [f"{patient:08d}_000.png,No Finding,0,{patient},50,F,PA" for patient in range(4)]
    (root / "entries.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (root / "train_val_list.txt").write_text("".join(f"{patient:08d}_000.png\n" for patient in range(3)))
    (root / "test_list.txt").write_text("00000003_000.png\n")
    for patient in range(4):
        cv2.imwrite(str(root / "images" / f"{patient:08d}_000.png"), np.full((40, 40), 60 * patient, np.uint8))
    return root


def fetch(root: Path, **settings: int) -> Path:
    return RawFolder(root, LAYOUT).fetch(InventorySettings(**settings))


def refused(root: Path, sentence: str, **settings: int) -> None:
    with pytest.raises(UserError, match=sentence):
        fetch(root, **settings)
    assert not (root.parent / "inventory").exists() or not list((root.parent / "inventory").iterdir())


def test_a_good_corpus_is_accepted(corpus: Path) -> None:
    fetch(corpus)
    assert RawFolder(corpus, LAYOUT).build().is_file()


def test_a_folder_that_does_not_exist(corpus: Path) -> None:
    refused(corpus / "typo", r"the folder .*typo does not exist; put the publisher's files there")


def test_a_missing_table(corpus: Path) -> None:
    (corpus / "entries.csv").unlink()
    refused(corpus, r"entries\.csv does not exist")


def test_a_table_without_a_needed_column(corpus: Path) -> None:
    text = (corpus / "entries.csv").read_text()
    (corpus / "entries.csv").write_text(text.replace("Patient Age", "Age"))
    refused(corpus, r"entries\.csv has no column 'Patient Age'; its columns are Image Index, .*")


def test_a_finding_nobody_knows(corpus: Path) -> None:
    text = (corpus / "entries.csv").read_text()
    (corpus / "entries.csv").write_text(text.replace("No Finding", "Edema|Oedema", 1))
    refused(
        corpus, r"entries\.csv, line 2: 'Edema\|Oedema' in column 'Finding Labels' names a finding that is not one of"
    )


def test_a_missing_image_is_counted_and_named(corpus: Path) -> None:
    (corpus / "images" / "00000002_000.png").unlink()
    refused(
        corpus,
        r"1 of 4 files are missing \(1\), first .*00000002_000\.png; "
        r"put the publisher's files there \(README, 'Real data'\); or set corpora",
    )
    assert fetch(corpus, allow_missing=1).is_file()


def test_a_truncated_image_is_found_before_anything_is_decoded(corpus: Path) -> None:
    image = corpus / "images" / "00000001_000.png"
    image.write_bytes(image.read_bytes()[:-20])
    refused(corpus, r"are truncated \(1\), first .*00000001_000\.png")


def test_a_web_page_instead_of_an_image(corpus: Path) -> None:
    (corpus / "images" / "00000001_000.png").write_text("<html>please log in</html>")
    refused(corpus, r"are unknown_format \(1\)")


def test_a_repeated_row_is_named(corpus: Path) -> None:
    with (corpus / "entries.csv").open("a") as table:
        table.write("00000001_000.png,No Finding,0,1,50,F,PA\n")
    refused(corpus, r"entries\.csv, line 3: '00000001_000\.png' in column 'Image Index' stands in more than one line")


def test_a_list_that_is_not_what_its_name_says(corpus: Path) -> None:
    (corpus / "test_list.txt").rename(corpus / "test_list.txt.gz")
    layout = LAYOUT.model_copy(update={"test_list": "test_list.txt.gz"})
    with pytest.raises(UserError, match=r"test_list\.txt\.gz is not a readable list"):
        RawFolder(corpus, layout).fetch()


def test_a_table_of_nothing_but_its_header(corpus: Path) -> None:
    (corpus / "entries.csv").write_text(HEADER + "\n")
    refused(corpus, r"gives no row: its tables \(entries\.csv, .*layout 'nih_cxr14' keeps")


def test_two_files_of_one_name(corpus: Path) -> None:
    shutil.copytree(corpus / "images", corpus / "images" / "more")
    layout = LAYOUT.model_copy(update={"images": "images/**/*.png"})
    with pytest.raises(UserError, match="share a name; keep one of them"):
        RawFolder(corpus, layout).fetch()


def test_an_image_in_both_official_lists(corpus: Path) -> None:
    (corpus / "test_list.txt").write_text("00000003_000.png\n00000000_000.png\n")
    refused(corpus, "image '00000000_000.png' is in both train_val_list.txt and test_list.txt")


def test_a_table_that_changed_since_its_inventory(corpus: Path) -> None:
    fetch(corpus)
    (corpus / "entries.csv").write_text(HEADER + "\n")
    with pytest.raises(UserError, match=r"entries\.csv is not the file the inventory saw; run snakemake with"):
        RawFolder(corpus, LAYOUT).build()
    assert not (corpus.parent / "manifests").exists()


@pytest.mark.parametrize(
    ("path", "age", "label", "sentence"),
    [
        ("images/one.jpg", "60", "1.0", r"train\.csv, line 2: column 'Path' is not a CheXpert image path"),
        (
            "c/train/patient1/study1/view1.jpg",
            "old",
            "1.0",
            r"train\.csv, line 2: 'old' in column 'Age' is not a number",
        ),
        (
            "c/train/patient1/study1/view1.jpg",
            "60",
            "2.0",
            r"line 2: '2\.0' in column 'No Finding' is none of 1\.0, 0\.0",
        ),
    ],
)
def test_a_chexpert_cell_that_cannot_be(tmp_path: Path, path: str, age: str, label: str, sentence: str) -> None:
    header = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDING_NAMES]
    for table in ("train.csv", "valid.csv"):
        row = [path, "Male", age, "Frontal", "AP", label, *[""] * (len(FINDING_NAMES) - 1)]
        (tmp_path / table).write_text(",".join(header) + "\n" + ",".join(row) + "\n")
    with pytest.raises(UserError, match=sentence):
        RawFolder(tmp_path, ChexpertLayout(format="chexpert")).fetch()

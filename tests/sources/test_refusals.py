"""Every adapter against every way a raw tree can be wrong: one sentence that says where, and nothing published.

What each kind of damage means for a layout stands in its table; where a layout cannot have it, the exceptions
beside the table say why. A new adapter has to be entered in all of them.
"""

import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from corpus_stages import RawFolder
from corruptions import (
    Corruption,
    borrowed_cell,
    borrowed_word,
    cell,
    copied,
    deleted,
    drawn,
    drop_column,
    first,
    link_tree,
    longer,
    moved_line,
    read_lines,
    repeated,
    repeated_entry,
    replace,
    second_view,
    spread,
    stray,
    together,
    twin,
    word,
    write_lines,
)
from pydantic import TypeAdapter

from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.union import Layout
from pipeline.sources import adapters
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.locations import locate
from pipeline.sources.phantom.cohort import write_cohort

Case = tuple[str, str]
"""A layout, and the table or the kind of thing that is wrong in it."""

SOURCE = PhantomSource(kind="phantom", patients=12, test_fraction=0.2, image_size=32)
METADATA = "mimic-cxr-2.0.0-metadata.csv.gz"
BORROWED = f"../mimic_cxr/{METADATA}"
READING = "main_data/P*R*"
WIDE = 6
"""Columns that a table loses one by one; of a table with twice as many, every second."""
PHASES = tuple(f"main_data/metadata_phase_{phase}.csv" for phase in (1, 2, 3))
CHESTX6, RAHMAN, QATA = "chest-xray", "TB_Chest_Radiography_Database", "QaTa-COV19-v2"
COVID = "Lung Segmentation Data/Lung Segmentation Data"

LAYOUTS: dict[str, dict[str, object]] = {
    "chestx6": {},
    "chexchonet": {},
    "chexpert": {},
    "covid_qu_ex": {},
    "covidx": {},
    "cxlseg": {"images_of": "mimic_cxr"},
    "hannover": {},
    "kermany": {},
    "medmod": {"images_of": "mimic_cxr"},
    "mimic_cxr": {"test_labels": True, "patients": "patients.csv.gz"},
    "mimic_iv_ecg": {},
    "ms_cxr": {"images_of": "mimic_cxr"},
    "nih_cxr14": {"boxes_table": "BBox_List_2017.csv"},
    "openmask": {},
    "qata_cov19": {},
    "reflacx": {"images_of": "mimic_cxr", "chest_boxes": True},
    "rsna_pneumonia": {"nih_mapping": "pneumonia-challenge-dataset-mappings_2018.json"},
    "shenzhen_tb": {},
    "symile_mimic": {},
    "tb_rahman": {},
    "vindr_cxr": {},
}
"""Each layout with the settings by which it reads the most tables."""

TABLES: dict[str, tuple[str, ...]] = {
    "chestx6": (),
    "chexchonet": ("metadata.csv",),
    "chexpert": ("train.csv", "valid.csv"),
    "covid_qu_ex": (),
    "covidx": ("train_COVIDx9A.txt", "test_COVIDx9A.txt"),
    "cxlseg": ("CXLSeg-mask.csv", "CXLSeg-split.csv", BORROWED),
    "hannover": ("data.csv",),
    "kermany": (),
    "medmod": ("all_stays.csv", "phenotype_labels.csv", "mimic-cxr-ehr-split.csv", BORROWED),
    "mimic_cxr": (
        METADATA,
        "mimic-cxr-2.0.0-split.csv.gz",
        "mimic-cxr-2.0.0-chexpert.csv.gz",
        "mimic-cxr-2.1.0-test-set-labeled.csv",
        "patients.csv.gz",
        "mimic-cxr-reports.zip",
    ),
    "mimic_iv_ecg": ("record_list.csv",),
    "ms_cxr": ("MS_CXR_Local_Alignment_v1.1.0.csv", BORROWED),
    "nih_cxr14": ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv", "train_val_list.txt", "test_list.txt"),
    "openmask": ("structure.csv", "metadata.csv"),
    "qata_cov19": (),
    "reflacx": (*PHASES, f"{READING}/anomaly_location_ellipses.csv", f"{READING}/chest_bounding_box.csv", BORROWED),
    "rsna_pneumonia": (
        "stage_2_train_labels.csv",
        "stage_2_detailed_class_info.csv",
        "pneumonia-challenge-dataset-mappings_2018.json",
    ),
    "shenzhen_tb": ("shenzhen_metadata.csv",),
    "symile_mimic": ("train.csv", "val.csv", "test.csv", "data_npy/*/hadm_id_*.npy"),
    "tb_rahman": (),
    "vindr_cxr": tuple(
        f"annotations/{name}_{part}.csv" for name in ("image_labels", "annotations") for part in ("train", "test")
    ),
}
"""Every table that an adapter reads; the sets of class folders have none."""

WITHOUT_COLUMNS = {
    ("covidx", "train_COVIDx9A.txt"): "a list without a header: an entry of too few words is refused by its number",
    ("covidx", "test_COVIDx9A.txt"): "the same",
    ("mimic_cxr", "mimic-cxr-reports.zip"): "an archive of texts",
    ("nih_cxr14", "train_val_list.txt"): "a list of names",
    ("nih_cxr14", "test_list.txt"): "a list of names",
    ("rsna_pneumonia", "pneumonia-challenge-dataset-mappings_2018.json"): "JSON, whose form is refused as a whole",
    ("symile_mimic", "data_npy/*/hadm_id_*.npy"): "an array of one number per row",
}

LABELS: dict[Case, Corruption] = {
    ("chestx6", "class"): stray(f"{CHESTX6}/train/Oedema/new.png", "train/Oedema"),
    ("chestx6", "part"): stray(f"{CHESTX6}/valid/Normal/new.png", "/valid"),
    ("chexchonet", "slvh"): cell("metadata.csv", "slvh", "3"),
    ("chexpert", "train"): cell("train.csv", "Cardiomegaly", "3"),
    ("chexpert", "valid"): cell("valid.csv", "Edema", "3"),
    ("covid_qu_ex", "class"): stray(f"{COVID}/Train/Healthy/images/new.png", "Train/Healthy"),
    ("covid_qu_ex", "part"): stray(f"{COVID}/Valid/Normal/images/new.png", "/Valid"),
    ("covidx", "train"): word("train_COVIDx9A.txt", -2, "healthy"),
    ("covidx", "test"): word("test_COVIDx9A.txt", -2, "healthy"),
    ("cxlseg", "split"): cell("CXLSeg-split.csv", "split", "holdout"),
    ("hannover", "icu"): cell("data.csv", "icu_admission_offset", "never"),
    ("hannover", "death"): cell("data.csv", "death_offset", "alive"),
    ("kermany", "name"): stray("chest_xray/train/PNEUMONIA/person7_fungus_71.jpeg"),
    ("medmod", "outcome"): cell("all_stays.csv", "mortality_inunit", "3"),
    ("medmod", "phenotype"): cell("phenotype_labels.csv", "Shock", "3"),
    ("medmod", "split"): cell("mimic-cxr-ehr-split.csv", "split", "holdout"),
    ("mimic_cxr", "label"): cell("mimic-cxr-2.0.0-chexpert.csv.gz", "Edema", "3.0"),
    ("mimic_cxr", "radiologist"): cell("mimic-cxr-2.1.0-test-set-labeled.csv", "Airspace Opacity", "3.0"),
    ("mimic_cxr", "split"): cell("mimic-cxr-2.0.0-split.csv.gz", "split", "holdout"),
    ("ms_cxr", "category"): cell("MS_CXR_Local_Alignment_v1.1.0.csv", "category_name", "Oedema"),
    ("ms_cxr", "split"): cell("MS_CXR_Local_Alignment_v1.1.0.csv", "split", "holdout"),
    ("nih_cxr14", "finding"): cell("Data_Entry_2017_v2020.csv", "Finding Labels", "Oedema"),
    ("nih_cxr14", "box"): cell("BBox_List_2017.csv", "Finding Label", "Oedema"),
    ("openmask", "structure"): cell("structure.csv", "Template Name", "Spleen"),
    ("qata_cov19", "part"): stray(f"{QATA}/Val Set/Images/new.png", "Val Set"),
    ("reflacx", "certainty"): cell(PHASES[0], "Atelectasis", "9"),
    ("reflacx", "devices"): cell(PHASES[1], "Support devices", "Maybe"),
    ("reflacx", "split"): cell(PHASES[2], "split", "holdout"),
    ("reflacx", "ellipse"): drawn(f"{READING}/anomaly_location_ellipses.csv", "Atelectasis", "Maybe"),
    ("rsna_pneumonia", "target"): cell("stage_2_train_labels.csv", "Target", "3"),
    ("rsna_pneumonia", "class"): cell("stage_2_detailed_class_info.csv", "class", "Abnormal"),
    ("shenzhen_tb", "name"): cell("shenzhen_metadata.csv", "study_id", "CHNCXR_0014_2.png", "not named as in the set"),
    ("symile_mimic", "train"): cell("train.csv", "Edema", "3.0"),
    ("symile_mimic", "val"): cell("val.csv", "Edema", "3.0"),
    ("symile_mimic", "test"): cell("test.csv", "Edema", "3.0"),
    ("symile_mimic", "query"): cell("test.csv", "label", "3"),
    ("tb_rahman", "class"): stray(f"{RAHMAN}/Healthy/new.png", f"{RAHMAN}/Healthy"),
    ("vindr_cxr", "train"): cell("annotations/image_labels_train.csv", "Edema", "3"),
    ("vindr_cxr", "test"): cell("annotations/image_labels_test.csv", "Edema", "3"),
    ("vindr_cxr", "train box"): cell("annotations/annotations_train.csv", "class_name", "Oedema"),
    ("vindr_cxr", "test box"): cell("annotations/annotations_test.csv", "class_name", "Oedema"),
}
WITHOUT_LABELS = {"mimic_iv_ecg": "its table says nothing of findings"}

UNLISTED: dict[Case, Corruption] = {
    ("chestx6", "image"): stray(f"{CHESTX6}/val/Unsorted/new.png", "val/Unsorted"),
    ("chexchonet", "image"): stray("images/new.jpg"),
    ("chexpert", "image"): stray("train/patient99999/study1/view1_frontal.jpg"),
    ("chexpert", "test image"): stray("valid/patient99999/study1/view1_frontal.jpg"),
    ("covid_qu_ex", "image"): stray(f"{COVID}/Train/Normal/images/new.png"),
    ("covid_qu_ex", "mask"): stray(f"{COVID}/Train/Normal/lung masks/new.png"),
    ("covidx", "image"): stray("train/new.png"),
    ("hannover", "image"): stray("png/new.png"),
    ("kermany", "image"): stray("chest_xray/test/NORMAL/new.jpeg"),
    ("mimic_cxr", "image"): stray("files/p10/p10013577/s50000011/new.jpg"),
    ("nih_cxr14", "image"): stray("images_001/images/new.png"),
    ("openmask", "image"): stray("images/new.jpg"),
    ("qata_cov19", "image"): stray(f"{QATA}/Train Set/Images/new.png"),
    ("qata_cov19", "mask"): stray(f"{QATA}/Train Set/Ground-truths/mask_new.png"),
    ("rsna_pneumonia", "image"): stray("stage_2_train_images/new.dcm"),
    ("shenzhen_tb", "image"): stray("images/images/CHNCXR_9999_0.png"),
    ("symile_mimic", "row of an array"): longer("data_npy/val/cxr_val.npy"),
    ("tb_rahman", "image"): stray(f"{RAHMAN}/Unsorted/new.png", f"{RAHMAN}/Unsorted"),
    ("vindr_cxr", "image"): stray("train/new.dicom"),
    ("vindr_cxr", "test image"): stray("test/new.dicom"),
}
WITHOUT_UNLISTED = {
    "cxlseg": "the images are MIMIC-CXR-JPG's, of which the set uses a part",
    "medmod": "the images are MIMIC-CXR-JPG's, of which the set uses a part",
    "mimic_iv_ecg": "has no images, and nobody looks for records without a row",
    "ms_cxr": "the images are MIMIC-CXR-JPG's, of which the set uses a part",
    "reflacx": "the images are MIMIC-CXR-JPG's, of which the set uses a part",
}

MISSING: dict[Case, Corruption] = {
    ("chexchonet", "image"): deleted("images/*.jpg"),
    ("chexpert", "image"): deleted("train/*/*/*.jpg"),
    ("chexpert", "test image"): deleted("valid/*/*/*.jpg"),
    ("covid_qu_ex", "image"): deleted(f"{COVID}/Test/*/images/*.png"),
    ("covid_qu_ex", "mask"): deleted(f"{COVID}/Test/*/lung masks/*.png"),
    ("covidx", "image"): deleted("test/*"),
    ("cxlseg", "image"): deleted("../mimic_cxr/files/*/*/s50000011/2e4191a0*.jpg"),
    ("cxlseg", "mask"): deleted("files/*/*/*/*-mask.jpg"),
    ("hannover", "image"): deleted("png/*.png"),
    ("medmod", "image"): deleted("../mimic_cxr/files/*/*/s50000022/47c7da0e*.jpg"),
    ("mimic_cxr", "image"): deleted("files/*/*/*/*.jpg"),
    ("mimic_iv_ecg", "samples"): deleted("files/*/*/*/*.dat"),
    ("mimic_iv_ecg", "header"): deleted("files/*/*/*/*.hea"),
    ("ms_cxr", "image"): deleted("../mimic_cxr/files/*/*/s50000021/3fbb5554*.jpg"),
    ("nih_cxr14", "image"): deleted("images_*/images/*.png"),
    ("openmask", "image"): deleted("images/*.jpg"),
    ("openmask", "mask"): deleted("masks/*.png"),
    ("qata_cov19", "image"): deleted(f"{QATA}/Test Set/Images/*.png"),
    ("qata_cov19", "mask"): deleted(f"{QATA}/Test Set/Ground-truths/*.png"),
    ("reflacx", "image"): deleted("../mimic_cxr/files/*/*/s50000011/2e4191a0*.jpg"),
    ("reflacx", "fixations"): deleted(f"{READING}/fixations.csv"),
    ("rsna_pneumonia", "image"): deleted("stage_2_train_images/*.dcm"),
    ("shenzhen_tb", "image"): deleted("images/images/*.png"),
    ("symile_mimic", "images"): deleted("data_npy/train/cxr_train.npy"),
    ("symile_mimic", "ECGs"): deleted("data_npy/train/ecg_train.npy"),
    ("vindr_cxr", "image"): deleted("train/*.dicom"),
    ("vindr_cxr", "test image"): deleted("test/*.dicom"),
}
WITHOUT_MISSING = {
    "chestx6": "the rows are made of the files",
    "kermany": "the rows are made of the files",
    "tb_rahman": "the rows are made of the files",
}

REPEATED: dict[Case, Corruption] = {
    ("chestx6", "name"): twin(f"{CHESTX6}/train/Normal/normal*.png", ".jpg"),
    ("chexchonet", "metadata.csv"): repeated("metadata.csv"),
    ("chexpert", "train.csv"): repeated("train.csv"),
    ("chexpert", "valid.csv"): repeated("valid.csv"),
    ("covid_qu_ex", "name"): twin(f"{COVID}/Train/Normal/images/*.png", ".jpg"),
    ("covidx", "train_COVIDx9A.txt"): repeated("train_COVIDx9A.txt"),
    ("covidx", "test_COVIDx9A.txt"): repeated("test_COVIDx9A.txt"),
    ("cxlseg", "CXLSeg-mask.csv"): repeated("CXLSeg-mask.csv"),
    ("cxlseg", "CXLSeg-split.csv"): repeated("CXLSeg-split.csv"),
    ("hannover", "data.csv"): repeated("data.csv"),
    ("kermany", "name"): copied("chest_xray/test/NORMAL/*.jpeg", "chest_xray/train/NORMAL"),
    ("medmod", "all_stays.csv"): repeated("all_stays.csv"),
    ("medmod", "mimic-cxr-ehr-split.csv"): repeated("mimic-cxr-ehr-split.csv"),
    ("mimic_cxr", METADATA): repeated(METADATA),
    ("mimic_cxr", "mimic-cxr-2.0.0-split.csv.gz"): repeated("mimic-cxr-2.0.0-split.csv.gz"),
    ("mimic_cxr", "mimic-cxr-2.0.0-chexpert.csv.gz"): repeated("mimic-cxr-2.0.0-chexpert.csv.gz"),
    ("mimic_cxr", "mimic-cxr-2.1.0-test-set-labeled.csv"): repeated("mimic-cxr-2.1.0-test-set-labeled.csv"),
    ("mimic_cxr", "patients.csv.gz"): repeated("patients.csv.gz"),
    ("mimic_iv_ecg", "record_list.csv"): repeated("record_list.csv"),
    ("nih_cxr14", "Data_Entry_2017_v2020.csv"): repeated("Data_Entry_2017_v2020.csv"),
    ("openmask", "structure.csv"): repeated("structure.csv", "Template Name", "Left Lung"),
    ("openmask", "metadata.csv"): repeated("metadata.csv"),
    ("qata_cov19", "name"): twin(f"{QATA}/Train Set/Images/*.png", ".jpg"),
    **{("reflacx", phase): repeated(phase) for phase in PHASES},
    ("rsna_pneumonia", "stage_2_train_labels.csv"): repeated("stage_2_train_labels.csv", "Target", "0"),
    ("rsna_pneumonia", "pneumonia-challenge-dataset-mappings_2018.json"): repeated_entry(
        "pneumonia-challenge-dataset-mappings_2018.json"
    ),
    ("shenzhen_tb", "shenzhen_metadata.csv"): repeated("shenzhen_metadata.csv"),
    ("symile_mimic", "train.csv"): repeated("train.csv"),
    ("symile_mimic", "val.csv"): repeated("val.csv"),
    ("symile_mimic", "test.csv"): repeated("test.csv", "label", "1"),
    ("tb_rahman", "name"): twin(f"{RAHMAN}/Normal/*.png", ".jpg"),
    ("vindr_cxr", "annotations/image_labels_train.csv"): repeated("annotations/image_labels_train.csv"),
    ("vindr_cxr", "annotations/image_labels_test.csv"): repeated("annotations/image_labels_test.csv"),
}
WITHOUT_KEYS = {
    **{(layout, BORROWED): "its lender refuses it" for layout in ("cxlseg", "medmod", "ms_cxr", "reflacx")},
    ("medmod", "phenotype_labels.csv"): "rows have no key but their number, which the table of stays must share",
    ("mimic_cxr", "mimic-cxr-reports.zip"): "a second report of a study is refused by its place in the archive",
    ("ms_cxr", "MS_CXR_Local_Alignment_v1.1.0.csv"): "one row per box; the publisher gives boxes no key",
    ("nih_cxr14", "BBox_List_2017.csv"): "one row per box; the publisher gives boxes no key",
    ("nih_cxr14", "train_val_list.txt"): "a list of names, which says the same twice",
    ("nih_cxr14", "test_list.txt"): "a list of names, which says the same twice",
    ("reflacx", f"{READING}/anomaly_location_ellipses.csv"): "one row per ellipse; they have no key",
    ("reflacx", f"{READING}/chest_bounding_box.csv"): "one row per box; they have no key",
    ("rsna_pneumonia", "stage_2_detailed_class_info.csv"): "the publisher repeats an image's row for each box",
    ("symile_mimic", "data_npy/*/hadm_id_*.npy"): "must list the table's rows in order",
    ("vindr_cxr", "annotations/annotations_train.csv"): "one row per box; the publisher gives boxes no key",
    ("vindr_cxr", "annotations/annotations_test.csv"): "one row per box; the publisher gives boxes no key",
}

PARTS = ("train", "test")
IN_TWO_PARTS: dict[Case, Corruption] = {
    ("chestx6", "image"): copied(f"{CHESTX6}/train/Normal/normal*.png", f"{CHESTX6}/test/Normal"),
    ("chexpert", "patient"): second_view("train.csv", "valid.csv", "Path", (r"view\d+", "view9")),
    ("covid_qu_ex", "image"): together(
        copied(f"{COVID}/Train/Normal/images/*.png", f"{COVID}/Test/Normal/images"),
        copied(f"{COVID}/Train/Normal/lung masks/*.png", f"{COVID}/Test/Normal/lung masks"),
    ),
    ("covidx", "patient"): borrowed_word("train_COVIDx9A.txt", "test_COVIDx9A.txt", 0),
    ("cxlseg", "patient"): spread("CXLSeg-split.csv", "dicom_id", "split", PARTS),
    ("medmod", "patient"): spread("mimic-cxr-ehr-split.csv", "dicom_id", "split", PARTS),
    ("mimic_cxr", "patient"): spread("mimic-cxr-2.0.0-split.csv.gz", "dicom_id", "split", PARTS),
    ("ms_cxr", "patient"): spread("MS_CXR_Local_Alignment_v1.1.0.csv", "dicom_id", "split", PARTS),
    ("nih_cxr14", "patient"): moved_line("train_val_list.txt", "test_list.txt", lambda words: words[0][:8]),
    ("qata_cov19", "image"): together(
        copied(f"{QATA}/Train Set/Ground-truths/*.png", f"{QATA}/Test Set/Ground-truths"),
        copied(f"{QATA}/Train Set/Images/*.png", f"{QATA}/Test Set/Images"),
    ),
    ("reflacx", "patient"): spread(PHASES[2], "dicom_id", "split", PARTS),
    ("symile_mimic", "patient"): borrowed_cell("train.csv", "val.csv", "subject_id"),
}
"""Found when the patients are split, by name: no table is at fault, and logs of confidential corpora are redacted.

Where nobody names patients, an image that stands in two parts under one name counts as one."""
WITHOUT_PARTS = {
    "chexchonet": "has no official parts",
    "hannover": "has no official parts",
    "kermany": "patients' numbers start anew in each official part, so the parts are not used",
    "mimic_iv_ecg": "has no official parts",
    "openmask": "has no official parts",
    "rsna_pneumonia": "has no official parts",
    "shenzhen_tb": "has no official parts",
    "tb_rahman": "has no official parts",
    "vindr_cxr": "names no patients; its images have one name in one part",
}
Pristine = Callable[[str], RawFolder]
Good = Callable[[str], RawCorpus]


def settings_of(layout: str) -> Layout:
    validated: Layout = TypeAdapter(Layout).validate_python({"format": layout, **LAYOUTS[layout]})
    return validated


def lender_of(layout: str) -> str | None:
    return settings_of(layout).borrowed().get("images")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    """Return the good tree of a layout, made when it is first asked for."""
    base = tmp_path_factory.mktemp("good")

    @cache
    def tree(layout: str) -> RawFolder:
        write_cohort(base / layout, SOURCE, layout)
        if layout == "mimic_cxr":
            add_people(base / layout)
        lender = lender_of(layout)
        folder = RawFolder(base / layout, settings_of(layout), {"images": tree(lender)} if lender else {})
        folder.fetch()
        return folder

    return tree


def add_people(root: Path) -> None:
    """Write MIMIC-IV's table of patients, which is no part of the tree."""
    header, *images = read_lines(root / METADATA)
    subjects = sorted({line[header.index("subject_id")] for line in images})
    columns = ["subject_id", "gender", "anchor_age", "anchor_year"]
    write_lines(root / "patients.csv.gz", [columns, *([subject, "F", "60", "2150"] for subject in subjects)])


@pytest.fixture
def raw(pristine: Pristine, tmp_path: Path) -> Pristine:
    """Return a tree that may be broken, beside that of its lender with its inventory."""

    def copy(layout: str) -> RawFolder:
        good, lender = pristine(layout), lender_of(layout)
        link_tree(good.root, tmp_path / layout)
        if lender is None:
            return RawFolder(tmp_path / layout, good.layout)
        link_tree(pristine(lender).root, tmp_path / lender)
        lent = RawFolder(tmp_path / lender, pristine(lender).layout)
        replace(lent.inventory, pristine(lender).inventory.read_bytes())
        return RawFolder(tmp_path / layout, good.layout, {"images": lent})

    return copy


@pytest.fixture(scope="module")
def good(pristine: Pristine) -> Good:
    """Return what is read of the good tree of a layout."""
    return cache(lambda layout: corpus_of(pristine(layout)))


def corpus_of(folder: RawFolder) -> RawCorpus:
    lenders = {role: lender.located for role, lender in folder.lenders.items()}
    return read_corpus(locate(folder.located, lenders), folder.layout)


def refusal(folder: RawFolder) -> str | None:
    """Return the sentence in which the corpus is refused; see that nothing was published."""
    try:
        folder.fetch()
    except UserError as error:
        assert not list(folder.inventory.parent.glob(f"*{folder.root.name}*"))
        return one_sentence(error)
    return None


def changes_nothing(folder: RawFolder, rows: pl.DataFrame) -> bool:
    """Tell whether a corpus is read, and as it was; a column that nobody needs may be absent."""
    try:
        return corpus_of(folder).rows.equals(rows)
    except UserError:
        return False


def one_sentence(error: UserError) -> str:
    assert not re.search(r"\n|\. [A-Z]", str(error))
    return str(error)


def build_refusal(folder: RawFolder) -> str:
    folder.fetch()
    with pytest.raises(UserError) as refused:
        folder.build()
    manifests = folder.root.parent / "manifests"
    assert not manifests.exists() or not list(manifests.iterdir())
    return one_sentence(refused.value)


def names_nobody(sentence: str, folder: RawFolder, rows: pl.DataFrame) -> bool:
    """Tell whether a sentence on a table of a confidential corpus holds no identifier of its patients and images."""
    if folder.layout.access == "open":
        return True
    patients = rows.filter("patient_known").select(pl.col("patient", "study").str.split(":").list.last())
    names = {*patients["patient"], *patients["study"], *rows["key"], *patients["study"].str.split("/").explode()}
    return not {name for name in names if len(name) > 3} & set(re.split(r"[^\w()-]+", sentence))


def each(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Run a test for each case."""
    listed = [pytest.param(*case, id="-".join(case)) for case in sorted(cases)]
    return pytest.mark.parametrize(("layout", "what"), listed)


def every_table() -> set[Case]:
    return {(layout, table) for layout, tables in TABLES.items() for table in tables}


@pytest.mark.parametrize(
    ("cases", "exceptions"),
    [
        pytest.param(LAYOUTS, {}, id="layouts"),
        pytest.param(TABLES, {}, id="tables"),
        pytest.param(LABELS, WITHOUT_LABELS, id="labels"),
        pytest.param(UNLISTED, WITHOUT_UNLISTED, id="unlisted"),
        pytest.param(MISSING, WITHOUT_MISSING, id="missing"),
        pytest.param(REPEATED, {"ms_cxr": "see WITHOUT_KEYS"}, id="repeated"),
        pytest.param(IN_TWO_PARTS, WITHOUT_PARTS, id="parts"),
    ],
)
def test_every_adapter_is_entered_or_excepted(cases: Iterable[str | Case], exceptions: Mapping[str, str]) -> None:
    entered = {case if isinstance(case, str) else case[0] for case in cases}
    assert not entered & set(exceptions)
    assert entered | set(exceptions) == {module.name for module in pkgutil.iter_modules(adapters.__path__)}


def test_every_table_can_lose_columns_and_repeat_rows_or_is_excepted() -> None:
    assert set(WITHOUT_COLUMNS) < every_table()
    of_tables = {case for case in REPEATED if TABLES[case[0]]}
    assert not of_tables & set(WITHOUT_KEYS)
    assert of_tables | set(WITHOUT_KEYS) == every_table()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_good_tree_is_accepted_and_reads_no_other_table(layout: str, good: Good) -> None:
    read = good(layout).tables
    own = set(TABLES[layout]) - {BORROWED}
    assert {pattern for pattern in own if any(fnmatch(table, pattern) for table in read)} == own
    assert all(any(fnmatch(table, pattern) for pattern in own) for table in read)


@each(every_table())
def test_a_table_that_is_not_there(layout: str, what: str, raw: Pristine) -> None:
    folder = raw(layout)
    table = first(folder.root, what)
    table.unlink()
    assert re.search(rf"{re.escape(table.name)} does not exist", refusal(folder) or "")


@each(every_table() - set(WITHOUT_COLUMNS))
def test_a_table_without_a_column(layout: str, what: str, raw: Pristine, good: Good) -> None:
    folder, rows = raw(layout), good(layout).rows
    table = first(folder.root, what)
    whole = read_lines(table)
    columns = range(len(whole[0]))
    refused = False
    for place in {*columns[:: 1 + len(columns) // WIDE], columns[-1]}:
        write_lines(table, drop_column(whole, place))
        if not changes_nothing(folder, rows):
            sentence = refusal(folder) or ""
            assert f"{table.name} has no column '{whole[0][place]}'" in sentence
            assert names_nobody(sentence, folder, rows)
            refused = True
    assert refused


@each(LABELS)
def test_a_label_nobody_knows(layout: str, what: str, raw: Pristine, good: Good) -> None:
    folder = raw(layout)
    pattern = LABELS[layout, what](folder.root)
    sentence = refusal(folder) or ""
    assert re.search(pattern, sentence)
    assert not TABLES[layout] or names_nobody(sentence, folder, good(layout).rows)


@each(UNLISTED)
def test_an_image_without_a_row(layout: str, what: str, raw: Pristine) -> None:
    folder = raw(layout)
    assert re.search(UNLISTED[layout, what](folder.root), refusal(folder) or "")


@each(MISSING)
def test_a_row_without_an_image(layout: str, what: str, raw: Pristine) -> None:
    folder = raw(layout)
    assert re.search(MISSING[layout, what](folder.root), refusal(folder) or "")


@each(REPEATED)
def test_a_row_that_stands_there_twice(layout: str, what: str, raw: Pristine, good: Good) -> None:
    folder = raw(layout)
    pattern = REPEATED[layout, what](folder.root)
    sentence = refusal(folder) or ""
    assert re.search(pattern, sentence)
    assert not TABLES[layout] or names_nobody(sentence, folder, good(layout).rows)


@each(IN_TWO_PARTS)
def test_a_patient_in_two_official_parts(layout: str, what: str, raw: Pristine) -> None:
    folder = raw(layout)
    pattern = IN_TWO_PARTS[layout, what](folder.root)
    assert re.search(pattern, build_refusal(folder))

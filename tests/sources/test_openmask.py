"""The open radiologists' masks, as published and as whole images: one row per image, masks in a list."""

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.collections import OpenmaskLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.openmask import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort

PATIENTS = 12


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", PhantomSource(kind="phantom", patients=PATIENTS, image_size=48), "openmask")
    return tmp_path / "raw"


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    (tmp_path / "masks.csv").write_text(
        "image,mask,cls,image_license,image_url,mask_license,finding,view\n"
        "images/a.jpg,masks/a1.png,left_lung,CC0,,CC0,ARDS,PA\n"
        "images/a.jpg,masks/a2.png,tubings,CC0,,CC0,ARDS,PA\n"
        "images/b.jpg,masks/b1.png,left_lung,CC0,,CC0,ARDS,\n"
    )
    return tmp_path


def read(root: Path, masks_table: str | None = None) -> RawCorpus:
    return read_corpus(Trees.alone(root), OpenmaskLayout(format="openmask", masks_table=masks_table))


def gray(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)


def placed(root: Path, image: str, mask: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Return a mask on the canvas of its image."""
    canvas = np.zeros(gray(root / image).shape, np.bool_)
    crop = gray(root / mask["path"]) > 0
    left, top = mask["left"] or 0, mask["top"] or 0
    target = canvas[top : top + crop.shape[0], left : left + crop.shape[1]]
    assert target.shape == crop.shape
    target[:] = crop
    return canvas


def edit(table: Path, line: int, **cells: str) -> None:
    """Replace cells of one line of the file, counted as in the sentences; spaces of columns are underscores here."""
    rows = list(csv.reader(table.read_text().splitlines()))
    for column, cell in cells.items():
        rows[line - 1][rows[0].index(column.replace("_", " "))] = cell
    with table.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def test_the_real_set_has_two_images_with_fourteen_masks_of_the_whole_image(real_data: Path) -> None:
    root = real_data / "openmask_cxr"
    corpus = read(root, "masks.csv")
    assert corpus.rows.schema == ROW_SCHEMA
    assert corpus.rows["key"].to_list() == ["ARDSSevere", "X-ray_of_cyst_in_pneumocystis_pneumonia_1"]
    assert corpus.rows["patient_known"].to_list() == [False, False]
    assert corpus.rows["view"].to_list() == ["PA", "PA"]
    assert corpus.rows["masks"].list.len().to_list() == [9, 5]
    assert len(corpus.attachments) == 14
    assert corpus.unlisted == ()
    assert corpus.rows["finding_consolidation"].to_list() == ["present", "unknown"]
    assert corpus.rows["finding_lung_opacity"].to_list() == ["present", "present"]
    assert corpus.rows["finding_support_devices"].to_list() == ["present", "unknown"]
    for image, masks in corpus.rows.select("path", "masks").iter_rows():
        for mask in masks:
            assert (mask["left"], mask["top"]) == (None, None)
            assert gray(root / mask["path"]).shape == gray(root / image).shape


def test_the_default_settings_find_the_publishers_tables(root: Path) -> None:
    corpus = read(root)
    assert corpus.rows.schema == ROW_SCHEMA
    assert corpus.tables == ("structure.csv", "metadata.csv")
    assert set(corpus.rows["path"]) == {p.relative_to(root).as_posix() for p in root.glob("images/*.jpg")}
    assert set(corpus.attachments) == {p.relative_to(root).as_posix() for p in root.glob("masks/*.png")}
    assert {"PA"} <= set(corpus.rows["view"].cast(pl.String)) <= {"PA", "AP"}


def test_patients_sex_and_age_are_those_of_the_collection(root: Path) -> None:
    rows = read(root).rows
    truth = pl.read_csv(root / "phantom" / "truth.csv", infer_schema=False)
    both = rows.join(truth, left_on="path", right_on="image", suffix="_true", validate="1:1")
    assert both.height == rows.height > PATIENTS
    assert both["patient"].to_list() == ("ieee8023:" + both["patient_true"]).to_list()
    assert both["patient_known"].all()
    assert both["study"].n_unique() == rows.height
    assert both["sex"].cast(pl.String).to_list() == both["sex_true"].to_list()
    assert both["age"].to_list() == both["age_true"].cast(pl.Float32).to_list()


def test_crops_at_their_places_are_the_lungs_and_the_heart(root: Path) -> None:
    smaller = 0
    for image, masks in read(root).rows.select("path", "masks").iter_rows():
        drawn = {mask["structure"]: placed(root, image, mask) for mask in masks}
        stem = image.replace("/", "_").removesuffix(".jpg")
        truth = {organ: gray(root / "phantom" / "masks" / f"{stem}_{organ}.png") > 0 for organ in ("lungs", "heart")}
        np.testing.assert_array_equal(drawn["right_lung"] | drawn["left_lung"], truth["lungs"])
        np.testing.assert_array_equal(drawn["cardiomediastinum"], truth["heart"])
        assert drawn["right_lung"].nonzero()[1].max() < drawn["left_lung"].nonzero()[1].min()
        smaller += sum(mask["left"] > 0 and mask["top"] > 0 for mask in masks)
    assert smaller


def test_a_structure_without_a_mask_is_seen_but_has_none(root: Path) -> None:
    rows = pl.read_csv(root / "structure.csv", infer_schema=False)
    probes = rows.filter(pl.col("Template Name") == "Monitoring Probes")
    assert probes.height
    assert probes["Mask"].is_null().all()
    seen = read(root).rows.filter(pl.col("finding_support_devices") == "present")
    assert set(seen["path"]) == set("images/" + probes["Filename"])
    assert "monitoring_probes" not in {mask["structure"] for masks in seen["masks"] for mask in masks}


def test_a_structure_may_have_two_masks_in_an_image(root: Path) -> None:
    first = read(root).rows["masks"][0].to_list()
    edit(root / "structure.csv", 2, Template_Name="Right Lung")
    names = [mask["structure"] for mask in read(root).rows["masks"][0].to_list()]
    assert names.count("right_lung") == 2
    assert len(names) == len(first)


def test_names_that_differ_only_in_dots_keep_keys_of_their_own(root: Path) -> None:
    keys = read(root).rows["key"]
    assert keys.is_unique().all()
    assert keys.str.contains(r"^[A-Za-z0-9_-]+$").all()


@pytest.mark.parametrize(
    ("table", "cells", "sentence"),
    [
        ("structure.csv", {"Template_Name": "Spleen"}, "'Spleen' in column 'Template Name' is none of airways"),
        ("structure.csv", {"Filename": ""}, "'None' in column 'Filename' names no file"),
        ("structure.csv", {"Filename": "x.jpg"}, r"'x\.jpg' in column 'Filename' is not in .*metadata\.csv"),
        ("structure.csv", {"Top": "high"}, "'high' in column 'Top' is not a number"),
        ("structure.csv", {"Left": "-1"}, "'-1' in column 'Left' is not a pixel of the image"),
        ("structure.csv", {"Left": "0.5"}, r"'0\.5' in column 'Left' is not a pixel of the image"),
        ("structure.csv", {"Left": ""}, "'None' in column 'Left' is not a pixel of the image"),
        ("metadata.csv", {"patientid": ""}, "'None' in column 'patientid' names no patient"),
        ("metadata.csv", {"filename": ""}, "'None' in column 'filename' names no file"),
        ("metadata.csv", {"age": "old"}, "'old' in column 'age' is not a number"),
    ],
)
def test_a_cell_that_cannot_be_is_named(root: Path, table: str, cells: dict[str, str], sentence: str) -> None:
    edit(root / table, 2, **cells)
    with pytest.raises(UserError, match=rf"{table}, line 2: {sentence}"):
        read(root)


@pytest.mark.parametrize(
    ("table", "column"), [("structure.csv", "Template Name"), ("structure.csv", "Mask"), ("metadata.csv", "patientid")]
)
def test_a_missing_column_is_named(root: Path, table: str, column: str) -> None:
    edit(root / table, 1, **{column.replace(" ", "_"): "other"})
    with pytest.raises(UserError, match=rf"{table} has no column '{column}'"):
        read(root)


@pytest.mark.parametrize(
    ("table", "cells", "column"),
    [("structure.csv", {}, "#"), ("structure.csv", {"#": "9999"}, "Mask"), ("metadata.csv", {}, "filename")],
)
def test_what_a_table_has_twice_is_refused(root: Path, table: str, cells: dict[str, str], column: str) -> None:
    text = (root / table).read_text()
    (root / table).write_text(text + text.splitlines()[1] + "\n")
    last = len(text.splitlines()) + 1
    edit(root / table, last, **cells)
    with pytest.raises(UserError, match=rf"{table}, line {last}: .* in column '{column}' has a line above too"):
        read(root)


def test_a_table_without_rows_is_refused(root: Path) -> None:
    table = root / "structure.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match=r"structure\.csv names no image"):
        read(root)


def test_an_image_that_the_table_does_not_name_is_unlisted(root: Path) -> None:
    (root / "images" / "new.jpg").write_bytes(next(root.glob("images/*.jpg")).read_bytes())
    (root / "images" / "new.dcm").touch()
    assert read(root).unlisted == ("images/new.jpg", "images/new.dcm")


def test_the_prepared_form_may_leave_the_view_blank(prepared: Path) -> None:
    rows = read(prepared, "masks.csv").rows
    assert rows["view"].to_list() == ["PA", "UNKNOWN"]
    assert rows["patient"].to_list() == ["openmask:a", "openmask:b"]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"cls": "spleen"}, "'spleen' in column 'cls' is none of airways"),
        ({"mask": ""}, "'None' in column 'mask' names no file"),
        ({"mask": "masks/a1.png"}, r"'masks/a1\.png' in column 'mask' has a line above too"),
        ({"view": "AP"}, "'AP' in column 'view' is not the view that another line has for the same image"),
        ({"view": ""}, "'None' in column 'view' is not the view that another line has for the same image"),
    ],
)
def test_a_cell_of_the_prepared_form_that_cannot_be_is_named(
    prepared: Path, cells: dict[str, str], sentence: str
) -> None:
    edit(prepared / "masks.csv", 3, **cells)
    with pytest.raises(UserError, match=rf"masks\.csv, line 3: {sentence}"):
        read(prepared, "masks.csv")

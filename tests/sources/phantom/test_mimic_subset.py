"""Phantom trees that add something to the phantom MIMIC-CXR-JPG."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.mimic_tables import read_metadata, read_split
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.sources.phantom.mimic_subset import cohort_images

LAYOUTS = ("reflacx", "ms_cxr", "cxlseg", "medmod")
SOURCE = PhantomSource(kind="phantom", patients=8, image_size=32, first_patient=5)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_settings_give_the_same_bytes(layout: str, tmp_path: Path) -> None:
    for name in ("once", "again"):
        write_cohort(tmp_path / name, SOURCE, layout)
    assert contents(tmp_path / "once") == contents(tmp_path / "again")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cohort_too_small_for_any_row_still_has_its_tables(layout: str, tmp_path: Path) -> None:
    write_cohort(tmp_path / "tree", SOURCE.model_copy(update={"patients": 1}), layout)
    tables = [path for path in (tmp_path / "tree").rglob("*.csv") if "R" not in path.parent.name]
    assert tables
    assert all(path.read_text().count(",") > 5 for path in tables)


def test_images_and_official_parts_are_mimics(tmp_path: Path) -> None:
    write_cohort(tmp_path / "mimic", SOURCE, "mimic_cxr")
    mimic = read_metadata(tmp_path / "mimic").join(
        read_split(tmp_path / "mimic" / "mimic-cxr-2.0.0-split.csv.gz"), on="dicom_id"
    )
    named = [(image.ids["dicom_id"], image.path, *image.shape, image.part) for image in cohort_images(SOURCE)]
    listed = mimic.select(
        "dicom_id", "path", "rows", "columns", pl.col("official_split").replace({"val": "validate"})
    ).rows()
    assert sorted(named) == sorted(listed)
    assert {image.part for image in cohort_images(SOURCE)} == {"train", "validate", "test"}


def test_part_of_the_patients_names_part_of_the_images() -> None:
    few = SOURCE.model_copy(update={"first_patient": 7, "patients": 3})
    assert {image.path for image in cohort_images(few)} < {image.path for image in cohort_images(SOURCE)}

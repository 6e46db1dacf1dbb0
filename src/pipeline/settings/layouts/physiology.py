"""Layouts of sets with ECGs or laboratory values."""

from typing import ClassVar, Literal

from pydantic import model_validator

from pipeline.settings.base import Name
from pipeline.settings.layouts.base import Access, LayoutSettings


class SymileMimicLayout(LayoutSettings):
    """Symile-MIMIC 1.0.0: X-ray, ECG and laboratory values of one admission (spec PaCX 1.3)."""

    access: ClassVar[Access] = "credentialed"
    format: Literal["symile_mimic"]
    variant: Literal["arrays", "raw"] = "arrays"
    """`arrays`: X-rays and ECGs as the publisher's arrays. `raw`: the files that these were made from, in the
    folders of two other corpora."""
    images_of: Name | None = None
    """The corpus of layout `mimic_cxr` whose folder holds the images; with variant `raw` only."""
    ecg_of: Name | None = None
    """The corpus of layout `mimic_iv_ecg` whose folder holds the ECGs; with variant `raw` only."""
    train_table: str = "train.csv"
    """Table of the training admissions, relative to the corpus folder."""
    val_table: str = "val.csv"
    """Table of the validation admissions."""
    test_table: str = "test.csv"
    """Table of the test queries and their candidates; a query is a row with label 1."""
    val_retrieval_table: str = "val_retrieval.csv"
    """Table of the validation queries and their candidates: the admissions of `val_table` again."""
    arrays: str = "data_npy"
    """Folder of the arrays, by part: `<arrays>/train/cxr_train.npy`."""

    @model_validator(mode="after")
    def _raw_files_come_from_other_corpora(self) -> "SymileMimicLayout":
        lenders = {"images_of": self.images_of, "ecg_of": self.ecg_of}
        for field, lender in lenders.items():
            if self.variant == "raw" and lender is None:
                raise ValueError(f"variant 'raw' needs {field}, the corpus whose folder holds the files")
            if self.variant == "arrays" and lender is not None:
                raise ValueError(f"{field} has no effect with variant 'arrays'; remove it or use variant 'raw'")
        return self


class MimicIvEcgLayout(LayoutSettings):
    """MIMIC-IV-ECG 1.0: twelve-lead records in WFDB form, no images (spec PaCX 1.3)."""

    access: ClassVar[Access] = "credentialed"
    format: Literal["mimic_iv_ecg"]
    table: str = "record_list.csv"
    """Table of all records, relative to the corpus folder."""


class HannoverLayout(LayoutSettings):
    """COVID-19 Image Repository of Hannover Medical School: one table and one file per image."""

    access: ClassVar[Access] = "open"
    format: Literal["hannover"]
    table: str = "data.csv"
    """Table of all images, relative to the corpus folder."""
    images: str = "png/*.png"
    """Glob of the image files; a file name without its ending must be an `image_id` of the table."""

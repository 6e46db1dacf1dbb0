"""Settings of the corpora: where the raw files are, how they are laid out, how patients are split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Fraction, Settings


class LocalSource(Settings):
    """Read a corpus from a folder that already holds the publisher's files."""

    kind: Literal["local"]
    root: str
    """Folder of the raw files; `{open_data}` in it stands for the top-level setting of that name."""


class PhantomSource(Settings):
    """Generate a synthetic cohort in the corpus's own raw layout (spec: DESIGN, phantom cohort)."""

    kind: Literal["phantom"]
    patients: int = Field(gt=0)
    """Number of patients; each has one to three studies."""
    first_patient: int = Field(default=1, ge=1)
    """Number of the first patient; cohorts whose ranges overlap share patients."""
    image_size: int = Field(default=128, ge=32)
    """Short side of the written images, pixels."""
    test_fraction: Fraction = 0.3
    """Share of the patients in the publisher's held-out part."""
    seed: int = 0
    """Seed of the generative model; the same seed and patient number give the same patient."""


Source = Annotated[LocalSource | PhantomSource, Field(discriminator="kind")]


class ChexpertLayout(Settings):
    """CheXpert-v1.0(-small): two tables beside `train/` and `valid/` (spec PaCX 1.2, RayGen E3)."""

    format: Literal["chexpert"]
    train_table: str = "train.csv"
    """Table of the training images, relative to the corpus folder."""
    valid_table: str = "valid.csv"
    """Table of the publisher's validation images, used here as the test split."""


class NihCxr14Layout(Settings):
    """NIH ChestX-ray14: one table, two official lists, PNG files in any sub-folder (spec RayGen E4)."""

    format: Literal["nih_cxr14"]
    table: str = "Data_Entry_2017_v2020.csv"
    """Table of all images, optionally gzipped, relative to the corpus folder."""
    train_val_list: str = "train_val_list.txt"
    """The official list of training and validation images, optionally gzipped."""
    test_list: str = "test_list.txt"
    """The official list of test images, optionally gzipped."""
    images: str = "images*/**/*.png"
    """Glob of the image files; a file name must be an `Image Index` of the table."""


class KermanyLayout(Settings):
    """Kermany paediatric X-rays: class and patient are parts of the file name."""

    format: Literal["kermany"]
    images: str = "**/*.jpeg"
    """Glob of the image files."""


class HannoverLayout(Settings):
    """COVID-19 Image Repository of Hannover Medical School: one table and one file per image."""

    format: Literal["hannover"]
    table: str = "data.csv"
    """Table of all images, relative to the corpus folder."""
    images: str = "png/*.png"
    """Glob of the image files; a file name without its ending must be an `image_id` of the table."""


Layout = Annotated[ChexpertLayout | NihCxr14Layout | KermanyLayout | HannoverLayout, Field(discriminator="format")]


class SplitSettings(Settings):
    """Cut patients, never images, into train, val and test."""

    scheme: Literal["official", "patient"]
    """`official`: the publisher's test set, and a patient-level cut of the rest into train and val;
    `patient`: a patient-level cut into all three."""
    val_fraction: Fraction = 0.15
    """Share of the non-test patients that become val."""
    test_fraction: Fraction = 0.0
    """Share of all patients that become test; only with scheme `patient`."""
    seed: int = 0
    """Key of the hash that assigns a patient; adding patients moves no other."""

    @model_validator(mode="after")
    def _test_comes_from_one_place(self) -> "SplitSettings":
        if self.scheme == "official" and self.test_fraction:
            raise ValueError("test_fraction has no effect with scheme 'official'; remove it or use scheme 'patient'")
        if self.scheme == "patient" and not self.test_fraction:
            raise ValueError("scheme 'patient' needs test_fraction, the share of patients held out for testing")
        return self


class ShardSettings(Settings):
    """Turn raw images into 8-bit gray JPEGs inside webdataset tars."""

    image_size: int = Field(gt=0)
    """Short side after resizing, pixels; smaller images are enlarged."""
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """JPEG quality of the stored image."""
    samples_per_shard: int = Field(default=1000, gt=0)
    """Samples in one tar; the last tar of a split may hold fewer."""


class InventorySettings(Settings):
    """Say how closely the raw files are looked at, and what may be wrong with them."""

    checksums: bool = True
    """Whether the inventory holds the sha256 of every image; the leakage audit compares them."""
    allow_missing: int = Field(default=0, ge=0)
    """How many listed images may be absent from the raw folder before the build stops."""
    allow_unreadable: int = Field(default=0, ge=0)
    """How many image files may be empty, truncated or of an unknown format before the build stops."""


class CorpusSettings(Settings):
    """Describe one corpus from its raw files to its shards."""

    source: Source
    """Where the raw files come from."""
    layout: Layout
    """How the raw files are laid out."""
    inventory: InventorySettings = InventorySettings()
    """How the raw files are checked."""
    splits: SplitSettings
    """How patients are split."""
    shards: ShardSettings
    """How images are stored."""

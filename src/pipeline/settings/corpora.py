"""Settings of what is done with a corpus: where the raw files are, how they are checked, split and stored."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Fraction, Name, Settings


class LocalSource(Settings):
    """Read a corpus from a folder that already holds the publisher's files."""

    kind: Literal["local"]
    root: str
    """Folder of the raw files."""
    publications: tuple[Name, ...] = ()
    """Entries of the registry that say how the files are had, for the sentence when they are not there."""


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


class DownloadSource(Settings):
    """Download a corpus from its publisher into a folder that keeps what is already there."""

    kind: Literal["download"]
    publications: tuple[Name, ...] = Field(min_length=1)
    """Entries of the registry whose needed files are brought into the folder."""
    root: str
    """Folder of the raw files, outside `results`, since it outlives them; `{open_data}` in it stands for the top-level
    setting of that name."""


Source = Annotated[LocalSource | PhantomSource | DownloadSource, Field(discriminator="kind")]


class ExclusionSettings(Settings):
    """Take patients of another corpus out of some splits of this one, so that nothing leaks."""

    patients_of: Name
    """The other corpus of the configuration; it must be drawn from the same patients."""
    in_splits: tuple[Literal["train", "val", "test"], ...] = ("train", "val")
    """Splits of the other corpus whose patients count."""
    from_splits: tuple[Literal["train", "val", "test"], ...] = ("test",)
    """Splits of this corpus that lose these patients; their rows stay in the manifest as `excluded`."""


class SplitSettings(Settings):
    """Cut patients, never images, into train, val and test."""

    scheme: Literal["official", "patient"]
    """`official`: the publisher's test set and, where there is one, val set; without one, a patient-level cut
    of the rest into train and val. `patient`: a patient-level cut into all three."""
    val_fraction: Fraction = 0.15
    """Share of the non-test patients that become val."""
    test_fraction: Fraction = 0.0
    """Share of all patients that become test; only with scheme `patient`."""
    seed: int = 0
    """Key of the hash that assigns a patient; adding patients moves no other."""
    exclude: tuple[ExclusionSettings, ...] = ()
    """Patients that other corpora lay claim to (spec PaCX 1.10, defect 16)."""

    @model_validator(mode="after")
    def _test_comes_from_one_place(self) -> "SplitSettings":
        if self.scheme == "official" and self.test_fraction:
            raise ValueError("test_fraction has no effect with scheme 'official'; remove it or use scheme 'patient'")
        if self.scheme == "patient" and not self.test_fraction:
            raise ValueError("scheme 'patient' needs test_fraction, the share of patients held out for testing")
        return self


Companion = Literal["masks", "gaze", "text", "boxes"]
"""What may stand beside an image in its sample; labels always do."""


class ShardSettings(Settings):
    """Turn raw images, and what belongs to them, into samples of webdataset tars."""

    image_size: int = Field(gt=0)
    """Short side after resizing, pixels; smaller images are enlarged."""
    decoding: Literal["exact", "fast"] = "exact"
    """`exact`: a JPEG is decoded at no less than twice the wanted size and shrunk by a Lanczos filter, which differs
    from decoding it whole by a gray level at most places; `fast`: at no less than the wanted size, shrunk by the same
    filter (spec performance 2.1)."""
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """JPEG quality of the stored image."""
    companions: tuple[Companion, ...] = ("masks", "gaze", "text", "boxes")
    """What is stored beside the image where the manifest has it: masks and gaze maps of the image's size, sections of
    the report, boxes in pixels of the stored image."""
    samples_per_shard: int = Field(default=1000, gt=0)
    """Samples in one tar; the last tar of a split may hold fewer."""
    parts: int = Field(default=1, gt=0)
    """Jobs that write the tars side by side, on one machine or many. The tars do not depend on it: after changing it
    run the target `shards` before `all`, which then finds equal bytes and trains nothing again."""


class InventorySettings(Settings):
    """Say how closely the raw files are looked at, and what may be wrong with them."""

    checksums: bool = True
    """Whether the inventory holds the sha256 of every image; the leakage audit compares them."""
    allow_missing: int = Field(default=0, ge=0)
    """How many listed files may be absent from the raw folder before the build stops."""
    allow_unlisted: int = Field(default=0, ge=0)
    """How many image files may stand in the raw folder without a row of any table before the build stops."""
    allow_unreadable: int = Field(default=0, ge=0)
    """How many files may be empty, truncated, of an unknown format, or rejected as no chest radiograph before the
    build stops."""

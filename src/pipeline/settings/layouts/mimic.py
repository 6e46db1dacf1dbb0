"""Layout of MIMIC-CXR."""

from typing import ClassVar, Literal

from pipeline.settings.layouts.base import Access, LayoutSettings

METADATA_TABLE = "mimic-cxr-2.0.0-metadata.csv.gz"
"""The table of all images of MIMIC-CXR-JPG; release 2.1.0 kept the name."""

Labeller = Literal["chexpert", "negbio"]
"""The programs whose reading of the reports MIMIC-CXR-JPG publishes."""


class MimicCxrLayout(LayoutSettings):
    """MIMIC-CXR-JPG 2.x, with the reports of MIMIC-CXR (spec RayGen E1, E2)."""

    access: ClassVar[Access] = "credentialed"
    format: Literal["mimic_cxr"]
    metadata: str = METADATA_TABLE
    """Table of all images with views and times, relative to the corpus folder."""
    split: str = "mimic-cxr-2.0.0-split.csv.gz"
    """The official split by image."""
    labels: Labeller = "chexpert"
    """Whose labels the findings are."""
    chexpert_labels: str = "mimic-cxr-2.0.0-chexpert.csv.gz"
    """Table of the labels by the CheXpert labeller, one row per study."""
    negbio_labels: str = "mimic-cxr-2.0.0-negbio.csv.gz"
    """Table of the labels by the NegBio labeller, one row per study."""
    test_labels: bool = False
    """Whether a radiologist's labels take the place of the labeller's in the studies that have them."""
    radiologist_labels: str = "mimic-cxr-2.1.0-test-set-labeled.csv"
    """Table of the radiologist's labels of studies in the official test set; not part of release 2.0.0."""
    reports: str | None = "mimic-cxr-reports.zip"
    """Archive of the reports, a file of MIMIC-CXR to be put beside the tables; null for a corpus without text."""
    patients: str | None = None
    """MIMIC-IV's `patients.csv.gz`, for sex and age, which MIMIC-CXR does not publish."""
    find_unlisted: bool = True
    """Whether image files that the metadata do not list are looked for, which walks all 290,000 folders."""

"""Layouts of sets that add something to images of MIMIC-CXR-JPG."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Name
from pipeline.settings.fixations import FixationRule
from pipeline.settings.layouts.base import Access, LayoutSettings
from pipeline.settings.layouts.mimic import METADATA_TABLE

StayPairing = Literal["official_phenotyping", "official_mortality", "pacx"]
"""Which X-ray stands for an intensive-care stay."""


class MimicImagesLayout(LayoutSettings):
    """What the sets share that hold no images but name MIMIC-CXR-JPG's."""

    access: ClassVar[Access] = "credentialed"
    images_of: Name
    """The corpus of layout `mimic_cxr` whose folder holds the images."""
    metadata: str = METADATA_TABLE
    """Table of all images of MIMIC-CXR-JPG, relative to the folder of that corpus."""


class ReflacxLayout(MimicImagesLayout):
    """REFLACX 1.0.0: radiologists' fixations on MIMIC-CXR images (spec RayGen E5)."""

    access: ClassVar[Access] = "restricted"
    format: Literal["reflacx"]
    readings: str = "main_data"
    """Folder of the three tables `metadata_phase_<phase>.csv` and of one folder per reading."""
    present_from: int = Field(default=4, ge=2, le=5)
    """Least certainty of a label that counts as present: 4 is 'suspicious for/probably', about 75 %."""
    absent_to: int = Field(default=1, ge=0, le=4)
    """Greatest certainty that counts as absent: 1 is 'unlikely', below 10 %; 0 is a label not selected. What
    lies between is uncertain: 2 is 'less likely', about 25 %, and 3 'possibly', about 50 %."""
    chest_boxes: bool = False
    """Whether the readers' boxes around lungs and heart stand among the boxes, with the label `chest`."""
    fixations: FixationRule = "all"
    """Which fixations of a reading make its heat map (spec CXR-MIM B3)."""

    @model_validator(mode="after")
    def _certainties_are_in_order(self) -> "ReflacxLayout":
        if self.absent_to >= self.present_from:
            raise ValueError("absent_to must be below present_from; a certainty cannot mean both")
        return self


class MsCxrLayout(MimicImagesLayout):
    """MS-CXR 1.1.0: phrases and their boxes on MIMIC-CXR images (spec Patch-IB 2.7)."""

    format: Literal["ms_cxr"]
    table: str = "MS_CXR_Local_Alignment_v1.1.0.csv"
    """Table of all boxes, relative to the corpus folder; version 1.0.0 has no official split and will not do."""


class CxlsegLayout(MimicImagesLayout):
    """CXLSeg 1.0.0: lung masks of MIMIC-CXR images (spec PaCX 1.8, 1.10).

    The masks are the output of a U-Net, not a reader's: Dice against them measures agreement with that network.
    The publisher cut images, not patients, into parts, so use split scheme `patient`; scheme `official` refuses
    as soon as a patient is in two. The publisher's `<dicom>.jpg`, black outside the lungs, are never read.
    """

    format: Literal["cxlseg"]
    mask_table: str = "CXLSeg-mask.csv"
    """Table of all masks, relative to the corpus folder."""
    split_table: str = "CXLSeg-split.csv"
    """Table of the official parts by image."""
    checked_images: int = Field(default=16, ge=1)
    """How many images are looked at to see that they are not themselves segmented; which ones, a hash decides."""


class MedmodLayout(MimicImagesLayout):
    """MedMod: phenotypes and mortality of intensive-care stays with a MIMIC-CXR image (spec PaCX 1.10)."""

    format: Literal["medmod"]
    stays: str = "all_stays.csv"
    """Table of all stays, relative to the corpus folder."""
    phenotypes: str = "phenotype_labels.csv"
    """Table of the 25 phenotypes, whose row i belongs to the i-th stay by stay_id."""
    split_table: str | None = "mimic-cxr-ehr-split.csv"
    """Table of the official parts by image, cut by patient; null for a corpus split by scheme `patient`."""
    pairing: StayPairing = "official_phenotyping"
    """Which X-ray stands for a stay; none stands for two. `official_phenotyping`: the last AP image between intime
    and outtime; `official_mortality`: the last AP image of the first 48 hours, of stays that lasted as long; `pacx`:
    the patient's first image, of any view, from the start of stay or admission to the end of both."""

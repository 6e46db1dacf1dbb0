"""Layouts of small sets, most of them on Kaggle."""

from typing import ClassVar, Literal

from pipeline.settings.layouts.base import Access, LayoutSettings


class KermanyLayout(LayoutSettings):
    """Kermany paediatric X-rays: class and patient are parts of the file name."""

    access: ClassVar[Access] = "open"
    format: Literal["kermany"]
    images: str = "**/*.jpeg"
    """Glob of the image files."""


class CovidQuExLayout(LayoutSettings):
    """COVID-QU-Ex: three classes with lung and infection masks, official parts in folders (spec PaCX 1.10)."""

    access: ClassVar[Access] = "registration"
    format: Literal["covid_qu_ex"]
    part: Literal["lung", "infection"] = "lung"
    """Which half is read: 33,920 images with lung masks, or the 5,826 that have infection masks too."""
    lung_folder: str = "Lung Segmentation Data/Lung Segmentation Data"
    """Folder of Train, Val and Test of the first half, relative to the corpus folder."""
    infection_folder: str = "Infection Segmentation Data/Infection Segmentation Data"
    """Folder of Train, Val and Test of the second half."""


class QataCov19Layout(LayoutSettings):
    """QaTa-COV19-v2: X-rays with COVID-19 and infection masks, official parts in folders (spec PaCX 1.10)."""

    access: ClassVar[Access] = "registration"
    format: Literal["qata_cov19"]
    folder: str = "QaTa-COV19-v2"
    """Folder of `Train Set` and `Test Set`, relative to the corpus folder."""


class ShenzhenTbLayout(LayoutSettings):
    """Shenzhen tuberculosis set: one image per patient, as on Kaggle or at the NLM (spec PaCX 1.10)."""

    access: ClassVar[Access] = "registration"
    format: Literal["shenzhen_tb"]
    tables: Literal["raddar", "nlm"] = "raddar"
    """Where findings stand: in one table (Kaggle), or in one text file per image (National Library of Medicine)."""
    table: str = "shenzhen_metadata.csv"
    """Table of form `raddar`, relative to the corpus folder."""
    readings: str = "ChinaSet_AllFiles/ClinicalReadings"
    """Folder of the text files of form `nlm`, relative to the corpus folder."""
    images: str = "**/CHNCXR_[0-9][0-9][0-9][0-9]_[01].[Pp][Nn][Gg]"
    """Glob of the image files, in either form."""


class TbRahmanLayout(LayoutSettings):
    """TB Chest Radiography Database of Rahman et al., two classes in folders (spec PaCX 1.10).

    Its normal images are those of ChestX-ray14 and RSNA, its tuberculosis images come from other hospitals: a
    classifier may tell the hospitals apart, and a corpus of either source must not be trained on beside it.
    """

    access: ClassVar[Access] = "registration"
    format: Literal["tb_rahman"]
    folder: str = "TB_Chest_Radiography_Database"
    """Folder of `Normal` and `Tuberculosis`, relative to the corpus folder."""


class Chestx6Layout(LayoutSettings):
    """ChestX6: six classes in folders, official parts (spec PaCX 1.10)."""

    access: ClassVar[Access] = "registration"
    format: Literal["chestx6"]
    folder: str = "*"
    """Glob of the one folder that holds `train`, `val` and `test`, relative to the corpus folder."""
    augmented: Literal["exclude", "keep"] = "exclude"
    """What becomes of the `augmented_*` files, altered copies that stand in `val` too: `exclude` leaves them to the
    inventory as left out."""


class CovidxLayout(LayoutSettings):
    """COVIDx: classes in space-separated lists, one for each official part (spec Medical MAE A3)."""

    access: ClassVar[Access] = "registration"
    format: Literal["covidx"]
    train_list: str = "train_COVIDx9A.txt"
    """List of the training images, relative to the corpus folder; `9B` is the binary release."""
    test_list: str = "test_COVIDx9A.txt"
    """List of the test images, relative to the corpus folder."""
    train_folder: str = "train"
    """Folder of the training images, relative to the corpus folder."""
    test_folder: str = "test"
    """Folder of the test images, relative to the corpus folder."""


class OpenmaskLayout(LayoutSettings):
    """COVID-19 Chest X-ray Segmentations of General Blockchain: masks by radiologists, as crops with their places."""

    access: ClassVar[Access] = "open"
    format: Literal["openmask"]
    structures: str = "structure.csv"
    """Table of all masks, relative to the corpus folder."""
    metadata: str = "metadata.csv"
    """Table of the ieee8023 collection, which names the patients, relative to the corpus folder."""
    images: str = "images"
    """Folder of the image files; a file that the table of masks does not name is counted as unlisted."""
    masks_table: str | None = None
    """Table of masks as large as their images (columns `image`, `mask`, `cls` and `view`), read instead of the two;
    null for the publisher's form. It names no patients."""

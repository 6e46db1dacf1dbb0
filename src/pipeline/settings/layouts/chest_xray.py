"""Layouts of large frontal X-ray sets with findings."""

from typing import ClassVar, Literal

from pydantic import Field

from pipeline.settings.layouts.base import Access, LayoutSettings


class ChexpertLayout(LayoutSettings):
    """CheXpert-v1.0(-small): two tables beside `train/` and `valid/` (spec PaCX 1.2, RayGen E3)."""

    access: ClassVar[Access] = "registration"
    format: Literal["chexpert"]
    train_table: str = "train.csv"
    """Table of the training images, relative to the corpus folder."""
    valid_table: str = "valid.csv"
    """Table of the publisher's validation images, used here as the test split."""


class NihCxr14Layout(LayoutSettings):
    """NIH ChestX-ray14: one table, two official lists, PNG files in any sub-folder (spec RayGen E4)."""

    access: ClassVar[Access] = "open"
    format: Literal["nih_cxr14"]
    table: str = "Data_Entry_2017_v2020.csv"
    """Table of all images, relative to the corpus folder; it and the lists may be gzipped, with `.gz` at their end."""
    train_val_list: str = "train_val_list.txt"
    """The official list of training and validation images."""
    test_list: str | None = "test_list.txt"
    """The official list of test images; with none, they are the images that the other list does not name."""
    images: str = "images*/**/*.png"
    """Glob of the image files; a file name must be an `Image Index` of the table."""
    boxes_table: str | None = None
    """Table of 984 boxes (`BBox_List_2017.csv`); they count pixels of the 1024 x 1024 images."""
    val_list: str | None = None
    """List of images that leave the training part for validation, one a line; what follows a name is not read, so
    that the lists of Medical MAE, with labels behind the names, serve (spec Medical MAE A4: 75,312 / 11,212)."""


class VindrCxrLayout(LayoutSettings):
    """VinDr-CXR 1.0.0: DICOM images, three readers per training image (spec PaCX 1.7, 1.10)."""

    access: ClassVar[Access] = "credentialed"
    format: Literal["vindr_cxr"]
    train_labels: str = "annotations/image_labels_train.csv"
    """Table of the training images, one row per image and reader, relative to the corpus folder."""
    test_labels: str = "annotations/image_labels_test.csv"
    """Table of the test images, one row per image, the consensus of five readers."""
    train_boxes: str | None = "annotations/annotations_train.csv"
    """Boxes of the training images by reader, in pixels of the DICOM files; null leaves them out."""
    test_boxes: str | None = "annotations/annotations_test.csv"
    """Boxes of the test images, likewise; null both for a resized copy of the images, which they do not fit."""
    train_images: str = "train/*.dicom"
    """Glob of the training images; a file name without its ending is an `image_id`. A PNG copy has `train/*.png`."""
    test_images: str = "test/*.dicom"
    """Glob of the test images, likewise."""
    min_readers: int = Field(default=2, ge=1, le=3)
    """How many of the three readers must name a finding for it to be present; 2 is PaCX's share of at least 0.5."""
    headers: bool = True
    """Whether sex and age are read from the DICOM headers; no table has them. A millisecond per image."""


class RsnaPneumoniaLayout(LayoutSettings):
    """RSNA Pneumonia Detection Challenge, stage 2: DICOM images and boxes (spec CXR-MIM B7)."""

    access: ClassVar[Access] = "registration"
    format: Literal["rsna_pneumonia"]
    table: str = "stage_2_train_labels.csv"
    """Table of the boxes, one row per box and one per image without any, relative to the corpus folder."""
    class_table: str | None = "stage_2_detailed_class_info.csv"
    """Table that tells normal images from those with other findings; null leaves `no_finding` unknown where no
    pneumonia is marked."""
    images: str = "stage_2_train_images/*.dcm"
    """Glob of the image files; a file name without its ending is a `patientId` of the table."""
    headers: bool = True
    """Whether view, sex and age are read from the DICOM headers; no table has them. A millisecond per image."""
    nih_mapping: str | None = None
    """The publisher's `pneumonia-challenge-dataset-mappings_2018.json`, which names the ChestX-ray14 image behind
    each image; with it patients are those of ChestX-ray14, so that splits and the leakage audit see them."""


class ChexchonetLayout(LayoutSettings):
    """CheXchoNet 1.0.0: X-rays with echocardiographic labels (spec PaCX 1.7, 1.10)."""

    access: ClassVar[Access] = "restricted"
    format: Literal["chexchonet"]
    table: str = "metadata.csv"
    """Table of all images, relative to the corpus folder."""
    images: str = "**/*.jpg"
    """Glob of the image files; a file name must be a `cxr_filename` of the table."""

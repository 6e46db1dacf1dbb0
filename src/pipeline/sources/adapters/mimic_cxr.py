"""MIMIC-CXR-JPG: images, views and times by image; labels and reports by study (spec RayGen E1, E2)."""

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import SEXES, UNKNOWN
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_tables import RADIOLOGIST_NAMES, read_labels, read_metadata, read_split
from pipeline.sources.reports.table import read_reports
from pipeline.sources.tables import parse_numbers, read_columns, require_lines


def read_corpus(trees: Trees, layout: MimicCxrLayout) -> RawCorpus:
    """Read the tables; every image of the metadata has a row, with its study's labels and report.

    Studies that the other tables leave out keep `unknown` findings, null texts, sex and age.
    """
    root = trees.own
    images = read_metadata(root, layout.metadata)
    repeated = images["dicom_id"].is_duplicated()
    require_lines(repeated, root / layout.metadata, "column 'dicom_id' holds an image that other lines hold too")
    studies = images.select("study_id").unique(maintain_order=True)
    rows = images.select(
        "study_id",
        key="dicom_id",
        patient=pl.format("mimic:{}", "subject_id"),
        study=pl.format("mimic:{}", "study_id"),
        view="view",
        path="path",
        official_split=_official_split(images, root, layout),
    )
    by_study = _labels(studies, root, layout)
    if layout.reports is not None:
        texts = read_reports(root / layout.reports, studies["study_id"])
        by_study = by_study.join(texts, on="study_id", how="left")
    rows = rows.join(by_study, on="study_id", how="left", maintain_order="left").drop("study_id")
    rows = pl.concat([rows, _people(images, root, layout)], how="horizontal")
    return RawCorpus(complete_rows(rows), _tables(layout), unlisted=_unlisted(trees.images, rows["path"], layout))


def _official_split(images: pl.DataFrame, root: Path, layout: MimicCxrLayout) -> pl.Series:
    split = read_split(root / layout.split)
    unknown = ~split["dicom_id"].is_in(images["dicom_id"].implode())
    require_lines(unknown, root / layout.split, f"holds an image that {layout.metadata} does not")
    parts = images.select("dicom_id").join(split, on="dicom_id", how="left", maintain_order="left")["official_split"]
    require_lines(parts.is_null(), root / layout.metadata, f"holds an image that {layout.split} does not")
    return parts


def _labels(studies: pl.DataFrame, root: Path, layout: MimicCxrLayout) -> pl.DataFrame:
    """Return each study's findings; the radiologist's take the place of the labeller's as a whole."""
    mined = read_labels(root / (layout.chexpert_labels if layout.labels == "chexpert" else layout.negbio_labels))
    if layout.test_labels:
        read = read_labels(root / layout.radiologist_labels, RADIOLOGIST_NAMES).select(mined.columns)
        mined = pl.concat([read, mined.join(read, on="study_id", how="anti")])
    labels = studies.join(mined, on="study_id", how="left", maintain_order="left")
    return labels.with_columns(pl.exclude("study_id").fill_null(UNKNOWN))


def _people(images: pl.DataFrame, root: Path, layout: MimicCxrLayout) -> pl.DataFrame:
    """Return sex and age of each image's patient: the age at the anchor year, moved to the year of the study."""
    if layout.patients is None:
        return images.with_columns(sex=pl.lit(None), age=pl.lit(None)).select("sex", "age")
    path = root / layout.patients
    raw = read_columns(path, ["subject_id", "gender", "anchor_age", "anchor_year"])
    require_lines(raw["subject_id"].is_duplicated(), path, "column 'subject_id' holds a patient that other lines hold")
    anchors = raw.select(
        "subject_id",
        sex=pl.col("gender").replace_strict({sex: sex for sex in SEXES}, default=None),
        anchor_age=parse_numbers(raw, "anchor_age", path),
        anchor_year=parse_numbers(raw, "anchor_year", path),
    )
    people = images.join(anchors, on="subject_id", how="left", maintain_order="left")
    return people.select("sex", age=pl.col("anchor_age") + pl.col("taken_at").dt.year() - pl.col("anchor_year"))


def _tables(layout: MimicCxrLayout) -> tuple[str, ...]:
    labels = layout.chexpert_labels if layout.labels == "chexpert" else layout.negbio_labels
    optional = (layout.radiologist_labels if layout.test_labels else None, layout.reports, layout.patients)
    return (layout.metadata, layout.split, labels, *(table for table in optional if table is not None))


def _unlisted(images_root: Path, listed: pl.Series, layout: MimicCxrLayout) -> tuple[str, ...]:
    if not layout.find_unlisted:
        return ()
    return tuple(sorted(set(_image_files(images_root, "files")) - set(listed)))


def _image_files(root: Path, folder: str) -> Iterator[str]:
    """Yield the JPEG files below a folder, relative to the root; nothing where the folder does not exist."""
    if not (root / folder).is_dir():
        return
    with os.scandir(root / folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _image_files(root, f"{folder}/{entry.name}")
            elif entry.name.endswith(".jpg"):
                yield f"{folder}/{entry.name}"

"""Patients, never images, are cut into train, val and test."""

import polars as pl

from pipeline.manifests.vocabulary import SPLITS
from pipeline.records.digests import unit_hash
from pipeline.records.errors import UserError
from pipeline.settings.corpora import SplitSettings


def assign_splits(rows: pl.DataFrame, settings: SplitSettings, name: str) -> pl.Series:
    """Return the split of each row.

    Each patient is placed by a hash of (seed, patient), so adding or removing patients moves no
    other. With scheme `official` the publisher's test patients stay test; raises `UserError` where
    the publisher has no such part, or has a patient in both.
    """
    if settings.scheme == "official":
        _check_official(rows, name)
    patients = rows.select("patient", "official_split").unique("patient", keep="first")
    places = [
        _place(patient, official if settings.scheme == "official" else None, settings)
        for patient, official in patients.iter_rows()
    ]
    by_patient = patients.select("patient").with_columns(split=pl.Series(places, dtype=pl.Enum(SPLITS)))
    return rows.select("patient").join(by_patient, on="patient", how="left", maintain_order="left")["split"]


def _place(patient: str, official: str | None, settings: SplitSettings) -> str:
    draw = unit_hash(f"test:{settings.seed}:{patient}")
    if official == "test" or draw < settings.test_fraction:
        return "test"
    return "val" if unit_hash(f"val:{settings.seed}:{patient}") < settings.val_fraction else "train"


def _check_official(rows: pl.DataFrame, name: str) -> None:
    without = rows.filter(pl.col("official_split").is_null())
    if without.height:
        raise UserError(
            f"corpus {name}: image '{without['path'][0]}' is in no official split "
            f"({without.height} such images); use split scheme 'patient' or complete the publisher's lists"
        )
    parts = rows.group_by("patient").agg(pl.col("official_split").n_unique().alias("parts"))
    torn = parts.filter(pl.col("parts") > 1)["patient"].sort()
    if len(torn):
        raise UserError(
            f"corpus {name}: patient '{torn[0]}' is in the official train and test parts "
            f"({len(torn)} patients in all); correct the publisher's lists or use split scheme 'patient'"
        )

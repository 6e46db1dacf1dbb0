"""Patients, never images, are cut into train, val and test."""

from collections.abc import Iterable, Mapping

import polars as pl

from pipeline.manifests.vocabulary import EXCLUDED, SPLITS
from pipeline.records.digests import unit_hash
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ExclusionSettings, SplitSettings


def assign_splits(rows: pl.DataFrame, settings: SplitSettings, name: str) -> pl.Series:
    """Return the split of each row.

    Each patient is placed by a hash of (seed, patient), so adding or removing patients moves no
    other. With scheme `official` the publisher's test patients stay test and, where the publisher
    has a val part, all parts stay as they are. Raises `UserError` where the publisher has no parts,
    or has a patient in two.
    """
    if settings.scheme == "official":
        _check_official(rows, name)
        if rows["official_split"].eq("val").any():
            return rows["official_split"].alias("split")
    patients = rows.select("patient", "official_split").unique("patient", keep="first")
    places = [
        _place(patient, official if settings.scheme == "official" else None, settings)
        for patient, official in patients.iter_rows()
    ]
    by_patient = patients.select("patient").with_columns(split=pl.Series(places, dtype=pl.Enum(SPLITS)))
    return rows.select("patient").join(by_patient, on="patient", how="left", maintain_order="left")["split"]


def exclude_patients(
    patients: pl.Series, split: pl.Series, exclusions: Iterable[ExclusionSettings], others: Mapping[str, pl.DataFrame]
) -> pl.Series:
    """Return the splits with the patients that other corpora lay claim to marked `excluded`."""
    kept = split.cast(pl.Enum((*SPLITS, EXCLUDED)))
    for exclusion in exclusions:
        other = others[exclusion.patients_of]
        claimed = other.filter(pl.col("split").cast(pl.String).is_in(exclusion.in_splits))["patient"].unique()
        taken = patients.is_in(claimed.implode()) & split.cast(pl.String).is_in(list(exclusion.from_splits))
        kept = pl.select(pl.when(taken).then(pl.lit(EXCLUDED)).otherwise(kept.cast(pl.String))).to_series()
    return kept.cast(pl.Enum((*SPLITS, EXCLUDED)))


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
            f"corpus {name}: patient '{torn[0]}' is in more than one official part "
            f"({len(torn)} patients in all); correct the publisher's lists or use split scheme 'patient'"
        )

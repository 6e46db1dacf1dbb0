"""The manifest: its columns, and the checks every manifest passes before it is published."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import FINDINGS, PRESENCE, SEXES, SPLITS, VIEWS, finding_column
from pipeline.records.errors import UserError
from pipeline.records.publish import publishing

PRESENCE_TYPE = pl.Enum(PRESENCE)

IDENTITY_SCHEMA: dict[str, pl.DataType] = {
    "key": pl.String(),  # names the sample everywhere downstream; unique in the corpus
    "patient": pl.String(),  # `population:id`, so that corpora drawn from one hospital share patients
    "study": pl.String(),  # `population:id` of the examination the image belongs to
    "view": pl.Enum(VIEWS),
    "sex": pl.Enum(SEXES),  # null where unknown
    "age": pl.Float32(),  # years; null where unknown
    "path": pl.String(),  # image file, relative to the corpus folder
}
"""Columns an adapter fills for each image, besides the findings."""

FINDING_SCHEMA: dict[str, pl.DataType] = {finding_column(finding): PRESENCE_TYPE for finding in FINDINGS}
"""One column per finding of the vocabulary."""

ROW_SCHEMA = pl.Schema(
    {**IDENTITY_SCHEMA, "official_split": pl.Enum(("train", "test")), **FINDING_SCHEMA},
)
"""What an adapter returns: `official_split` is the publisher's part, null where there is none."""

MANIFEST_SCHEMA = pl.Schema(
    {
        "corpus": pl.String(),
        **IDENTITY_SCHEMA,
        "split": pl.Enum(SPLITS),
        "file_state": pl.String(),  # the inventory's word for the image file
        "sha256": pl.String(),  # of the image file; null where the file is missing or was not hashed
        **FINDING_SCHEMA,
    }
)
"""What a manifest holds."""

_MAY_BE_NULL = {"sex", "age", "sha256"}
_KEY_PATTERN = r"^[A-Za-z0-9_-]+$"  # webdataset cuts a member's name at its first dot


def check_manifest(manifest: pl.DataFrame, name: str) -> None:
    """Raise `UserError` unless the frame has the schema, unique well-formed keys and patient-disjoint splits."""
    if manifest.schema != MANIFEST_SCHEMA:
        wrong = sorted(set(manifest.schema.items()) ^ set(MANIFEST_SCHEMA.items()), key=str)
        raise UserError(f"manifest {name} does not have the manifest's schema; columns that differ: {wrong}")
    for column in set(MANIFEST_SCHEMA) - _MAY_BE_NULL:
        if nulls := manifest[column].null_count():
            raise UserError(f"manifest {name}: column '{column}' is empty in {nulls} rows; the adapter must fill it")
    bad_keys = manifest.filter(~pl.col("key").str.contains(_KEY_PATTERN))["key"]
    if len(bad_keys):
        raise UserError(f"manifest {name}: key '{bad_keys[0]}' may hold only letters, digits, '_' and '-'")
    repeated = manifest.filter(pl.col("key").is_duplicated())["key"]
    if len(repeated):
        raise UserError(f"manifest {name}: key '{repeated[0]}' stands in more than one row; each image needs its own")
    check_patients_in_one_split(manifest, name)


def check_patients_in_one_split(manifest: pl.DataFrame, name: str) -> None:
    """Raise `UserError` naming the first patient whose images stand in more than one split."""
    spread = (
        manifest.group_by("patient")
        .agg(pl.col("split").unique().sort())
        .filter(pl.col("split").list.len() > 1)
        .sort("patient")
    )
    if spread.height:
        patient, splits = spread.row(0)
        raise UserError(
            f"manifest {name}: patient '{patient}' is in the splits {' and '.join(splits)} "
            f"({spread.height} patients in all); correct the publisher's lists or use split scheme 'patient'"
        )


def write_manifest(manifest: pl.DataFrame, path: Path) -> None:
    """Check and publish a manifest; equal rows give equal bytes."""
    check_manifest(manifest, str(path))
    with publishing(path) as scratch:
        manifest.write_parquet(scratch, compression="zstd", statistics=False)


def read_manifest(path: Path) -> pl.DataFrame:
    """Read a published manifest."""
    return pl.read_parquet(path)

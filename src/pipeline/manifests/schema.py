"""The manifest: its columns, and the checks every manifest passes before it is published."""

from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import EXCLUDED, FINDINGS, PRESENCE, SEXES, SPLITS, VIEWS, finding_column
from pipeline.records.errors import UserError
from pipeline.records.publish import publishing

PRESENCE_TYPE = pl.Enum(PRESENCE)

IDENTITY_SCHEMA: dict[str, pl.DataType] = {
    "key": pl.String(),  # names the sample everywhere downstream; unique in the corpus
    "patient": pl.String(),  # `population:id`, so that corpora drawn from one hospital share patients
    "patient_known": pl.Boolean(),  # false where the publisher names no patients and each image stands for one
    "study": pl.String(),  # `population:id` of the examination the image belongs to
    "view": pl.Enum(VIEWS),
    "sex": pl.Enum(SEXES),  # null where unknown
    "age": pl.Float32(),  # years; null where unknown
    "path": pl.String(),  # image, relative to the folder of images; `file.npy#row` for a row of an array; null without
}
"""Columns an adapter fills for each image, besides the findings."""

COMPANION_SCHEMA: dict[str, pl.DataType] = {
    "report_findings": pl.String(),  # text of the section; null where the report has none
    "report_impression": pl.String(),
    "report_source": pl.String(),  # which rule of the section parser found them; null without a report
    "masks": pl.List(  # files relative to the corpus folder
        pl.Struct(
            {
                "structure": pl.String(),
                "path": pl.String(),
                "left": pl.Int32(),  # where a mask smaller than its image is placed, pixels of the image;
                "top": pl.Int32(),  # null where it covers the whole image
            }
        )
    ),
    "boxes": pl.List(  # pixels of the image file; left, top corner
        pl.Struct(
            {
                "label": pl.String(),  # finding of the vocabulary, or the publisher's phrase
                "reader": pl.String(),
                "left": pl.Float32(),
                "top": pl.Float32(),
                "width": pl.Float32(),
                "height": pl.Float32(),
            }
        )
    ),
    "gaze": pl.List(pl.Struct({"reading": pl.String(), "path": pl.String()})),  # fixations, in the corpus folder
    "ecg": pl.String(),  # WFDB record without ending, or `file.npy#row`, relative to the folder of ECGs
    "labs": pl.List(pl.Struct({"item": pl.String(), "value": pl.Float64()})),  # only what was measured
}
"""What belongs to an image besides its findings; null where the corpus has none."""

FINDING_SCHEMA: dict[str, pl.DataType] = {finding_column(finding): PRESENCE_TYPE for finding in FINDINGS}
"""One column per finding of the vocabulary."""

ROW_SCHEMA = pl.Schema(
    {**IDENTITY_SCHEMA, "official_split": pl.Enum(SPLITS), **COMPANION_SCHEMA, **FINDING_SCHEMA},
)
"""What an adapter returns: `official_split` is the publisher's part, null where there is none."""

MANIFEST_SCHEMA = pl.Schema(
    {
        "corpus": pl.String(),
        **IDENTITY_SCHEMA,
        "split": pl.Enum((*SPLITS, EXCLUDED)),
        "file_state": pl.String(),  # the inventory's word for the image file, or for the ECG where there is no image
        "sha256": pl.String(),  # of the image file; null where the file is missing or was not hashed
        **COMPANION_SCHEMA,
        **FINDING_SCHEMA,
    }
)
"""What a manifest holds."""

_MAY_BE_NULL = {"sex", "age", "path", "sha256", *COMPANION_SCHEMA}
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
        manifest.filter(pl.col("split") != EXCLUDED)
        .group_by("patient")
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

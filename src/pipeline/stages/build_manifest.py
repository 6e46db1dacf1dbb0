"""Stage of rule build_manifest: the publisher's tables as typed rows, split by patient."""

import logging
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline.manifests.schema import MANIFEST_SCHEMA, read_manifest, write_manifest
from pipeline.manifests.splits import assign_splits, exclude_patients
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import SplitSettings
from pipeline.settings.layouts.base import LayoutSettings, Role
from pipeline.sources.adapter import read_corpus
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN, Located, locate

log = logging.getLogger(__name__)


def build_manifest(
    name: str,
    own: Located,
    lenders: Mapping[Role, Located],
    layout: LayoutSettings,
    splits: SplitSettings,
    others: Mapping[str, Path],
    manifest: Path,
) -> None:
    """Read a corpus's tables, join the inventory, split the patients, and publish the manifest.

    Args:
        name: The corpus's name in the configuration.
        own: Where the raw files come from, and their inventory.
        lenders: The corpora whose folders hold files of this one, by role.
        layout: How the raw files are laid out.
        splits: How patients are split.
        others: Manifests of the corpora that `splits.exclude` names.
        manifest: Parquet file to publish; it has one row per image that the tables list.

    Raises:
        UserError: A table changed since the inventory, or the rows break the manifest's rules.
    """
    trees = locate(own, lenders)
    files = pl.read_parquet(own.inventory)
    _check_tables(trees.own, files)
    rows = read_corpus(trees, layout).rows
    split = exclude_patients(
        rows["patient"],
        assign_splits(rows, splits, name),
        splits.exclude,
        {n: read_manifest(p) for n, p in others.items()},
    )
    complete = _with_states(rows, files).with_columns(split.alias("split"), corpus=pl.lit(name))
    complete = complete.select(MANIFEST_SCHEMA.names()).sort("key")
    log.info("manifest %s: %s", name, dict(complete["split"].value_counts(sort=True).iter_rows()))
    write_manifest(complete, manifest)


def _with_states(rows: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """Add state and sha256 of each row's image, or of its ECG's samples in a corpus without images."""
    unique = files.filter(pl.col("role") != "table").unique(["role", "path"], keep="first")
    states = unique.select("role", "path", "sha256", file_state=pl.col("state").cast(str))
    wanted = rows.with_columns(
        _role=pl.when(pl.col("path").is_null()).then(pl.lit("attachment")).otherwise(pl.lit("image")),
        _file=pl.col("path").str.replace(r"#\d+$", "").fill_null(pl.col("ecg") + ".dat"),
    )
    return wanted.join(
        states.cast({"role": pl.String}),
        left_on=["_role", "_file"],
        right_on=["role", "path"],
        how="left",
        maintain_order="left",
    )


def _check_tables(root: Path, files: pl.DataFrame) -> None:
    for path, digest in files.filter(pl.col("role") == "table").select("path", "sha256").iter_rows():
        if not (root / path).is_file() or file_digest(root / path) != digest:
            raise UserError(f"{root / path} is not the file the inventory saw; {TAKE_INVENTORY_AGAIN}")

"""Stage of rule build_manifest: the publisher's tables as typed rows, split by patient."""

import logging
from pathlib import Path

import polars as pl

from pipeline.manifests.schema import MANIFEST_SCHEMA, write_manifest
from pipeline.manifests.splits import assign_splits
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import Layout, Source, SplitSettings
from pipeline.sources.adapter import read_corpus
from pipeline.sources.locations import TAKE_INVENTORY_AGAIN, raw_root

log = logging.getLogger(__name__)


def build_manifest(
    name: str, source: Source, layout: Layout, splits: SplitSettings, inventory: Path, manifest: Path
) -> None:
    """Read a corpus's tables, join the inventory, split the patients, and publish the manifest.

    Args:
        name: The corpus's name in the configuration.
        source: Where the raw files come from.
        layout: How they are laid out.
        splits: How patients are split.
        inventory: Inventory of the raw files.
        manifest: Parquet file to publish; it has one row per image that the tables list.

    Raises:
        UserError: A table changed since the inventory, or the rows break the manifest's rules.
    """
    root = raw_root(source, inventory)
    files = pl.read_parquet(inventory)
    _check_tables(root, files)
    rows = read_corpus(root, layout).rows
    images = files.filter(pl.col("role") == "image").unique("path", keep="first")
    states = images.select("path", "sha256", file_state=pl.col("state").cast(str))
    complete = rows.join(states, on="path", how="left", maintain_order="left").with_columns(
        assign_splits(rows, splits, name).alias("split"), corpus=pl.lit(name)
    )
    complete = complete.select(MANIFEST_SCHEMA.names()).sort("key")
    log.info("manifest %s: %s", name, dict(complete["split"].value_counts(sort=True).iter_rows()))
    write_manifest(complete, manifest)


def _check_tables(root: Path, files: pl.DataFrame) -> None:
    for path, digest in files.filter(pl.col("role") == "table").select("path", "sha256").iter_rows():
        if not (root / path).is_file() or file_digest(root / path) != digest:
            raise UserError(f"{root / path} is not the file the inventory saw; {TAKE_INVENTORY_AGAIN}")

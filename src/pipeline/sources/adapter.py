"""What every adapter returns, and how one is found by the name of its layout."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import polars as pl

from pipeline.manifests.schema import FINDING_SCHEMA, ROW_SCHEMA
from pipeline.manifests.vocabulary import UNKNOWN
from pipeline.settings.corpora import Layout
from pipeline.sources.locations import adapter_module


@dataclass(frozen=True)
class RawCorpus:
    """Hold what the publisher's tables say."""

    rows: pl.DataFrame
    """One row per listed image, present or not, with the schema `ROW_SCHEMA`."""
    tables: tuple[str, ...]
    """Files the rows were read from, relative to the corpus folder."""
    unlisted: tuple[str, ...] = ()
    """Image files in the corpus folder that no table lists."""


class Adapter(Protocol):
    """Read one publisher's layout."""

    def read_corpus(self, root: Path, layout: Layout) -> RawCorpus:
        """Read the tables below `root`. Raises `UserError` naming file, row or column that is wrong."""
        ...


def read_corpus(root: Path, layout: Layout) -> RawCorpus:
    """Read a corpus by the adapter of its layout."""
    # Imported by name so that an edit to one adapter makes only that adapter's corpora stale.
    adapter = cast(Adapter, import_module(adapter_module(layout.format)))
    return adapter.read_corpus(root, layout)


def complete_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the findings the publisher says nothing of as `unknown`, and bring the columns into schema order."""
    absent = [pl.lit(UNKNOWN).alias(column) for column in FINDING_SCHEMA if column not in rows.columns]
    return rows.with_columns(absent).select(ROW_SCHEMA.names()).cast(dict(ROW_SCHEMA))  # type: ignore[arg-type]

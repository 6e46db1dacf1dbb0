"""What every adapter returns, and how one is found by the name of its layout."""

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import polars as pl

from pipeline.manifests.schema import COMPANION_SCHEMA, FINDING_SCHEMA, ROW_SCHEMA
from pipeline.manifests.vocabulary import UNKNOWN
from pipeline.records.errors import UserError
from pipeline.settings.layouts.base import LayoutSettings
from pipeline.sources.locations import Trees, adapter_module


@dataclass(frozen=True)
class RawCorpus:
    """Hold what the publisher's tables say."""

    rows: pl.DataFrame
    """One row per listed image, present or not, with the schema `ROW_SCHEMA`."""
    tables: tuple[str, ...]
    """Files the rows were read from, relative to the corpus folder."""
    attachments: tuple[str, ...] = ()
    """Masks, fixations, ECG files and the like that the rows name, relative to the corpus folder."""
    unlisted: tuple[str, ...] = ()
    """Image files in the folder of images that no table lists."""
    left_out: tuple[str, ...] = ()
    """Image files in the folder of images that a setting of the layout leaves out."""


class Adapter(Protocol):
    """Read one publisher's layout."""

    def read_corpus(self, trees: Trees, layout: LayoutSettings) -> RawCorpus:
        """Read the tables below `trees.own`. Raises `UserError` naming file, row or column that is wrong."""
        ...


def read_corpus(trees: Trees, layout: LayoutSettings) -> RawCorpus:
    """Read a corpus by the adapter of its layout. Raises `UserError` also where no row comes of it."""
    # Imported by name so that an edit to one adapter makes only that adapter's corpora stale.
    adapter = cast(Adapter, import_module(adapter_module(layout.format)))
    corpus = adapter.read_corpus(trees, layout)
    if corpus.rows.is_empty():
        raise UserError(
            f"{trees.own} gives no row: its tables ({', '.join(corpus.tables[:3])}) list nothing that layout "
            f"'{layout.format}' keeps; use the publisher's original tables or correct the corpus's layout settings"
        )
    return corpus


def complete_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Add what the publisher says nothing of, and bring the columns into schema order.

    Findings without a column, or without a word in a row, become `unknown`, companions null; patients count as known.
    """
    defaults = dict.fromkeys(COMPANION_SCHEMA) | dict.fromkeys(FINDING_SCHEMA, UNKNOWN) | {"patient_known": True}
    absent = [pl.lit(value).alias(column) for column, value in defaults.items() if column not in rows.columns]
    complete = _with_mask_places(rows).with_columns(absent).select(ROW_SCHEMA.names())
    return complete.cast(dict(ROW_SCHEMA)).with_columns(pl.col(list(FINDING_SCHEMA)).fill_null(UNKNOWN))  # type: ignore[arg-type]


def _with_mask_places(rows: pl.DataFrame) -> pl.DataFrame:
    """Say of masks without a place that they cover the whole image."""
    if "masks" not in rows.columns or rows["masks"].dtype == pl.Null:
        return rows
    fields = pl.DataFrame({"mask": rows["masks"].drop_nulls().explode()}).unnest("mask").columns
    missing = [pl.lit(None, pl.Int32).alias(name) for name in ("left", "top") if name not in fields]
    places = pl.element().struct.with_fields(*missing)
    return rows.with_columns(pl.col("masks").list.eval(places)) if missing else rows

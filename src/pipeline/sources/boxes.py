"""Boxes of a publisher's table, brought to the images they belong to."""

from collections.abc import Sequence

import polars as pl

BOX_FIELDS = ("label", "reader", "left", "top", "width", "height")
"""Fields of a box, in the manifest's order."""


def add_boxes(rows: pl.DataFrame, tables: Sequence[pl.DataFrame], complete: bool) -> pl.DataFrame:
    """Return the rows with a column `boxes`, matched by `key`, in the order of the tables.

    Each table has the columns `key` and `BOX_FIELDS`. An image without boxes has an empty list where the
    readers looked at every image (`complete`), and null where nobody says that they did.
    """
    listed = pl.concat([table.select("key", *BOX_FIELDS) for table in tables], how="vertical_relaxed")
    gathered = listed.group_by("key", maintain_order=True).agg(boxes=pl.struct(BOX_FIELDS))
    joined = rows.join(gathered, on="key", how="left", maintain_order="left")
    return joined.with_columns(pl.col("boxes").fill_null([])) if complete else joined

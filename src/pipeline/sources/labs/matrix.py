"""Laboratory values as a manifest holds them, lists of item and value, and as a matrix."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Doubles = npt.NDArray[np.float64]


def lab_lists(item_of: Mapping[str, str]) -> pl.Expr:
    """Return the expression of a manifest's column `labs`.

    `item_of` maps numeric columns to items; a row lists its items in the mapping's order, without those that are
    null or NaN, and is null where nothing was measured. Infinite values stay: they lie beyond the detection limit.
    """
    values = {item: pl.col(column).cast(pl.Float64).fill_nan(None) for column, item in item_of.items()}
    measured = [
        pl.when(value.is_not_null()).then(pl.struct(item=pl.lit(item), value=value)) for item, value in values.items()
    ]
    lists = pl.concat_list(measured).list.drop_nulls()
    return pl.when(lists.list.len() > 0).then(lists).alias("labs")


def lab_matrix(labs: pl.Series, items: Sequence[str]) -> Doubles:
    """Return a manifest's column `labs` as [rows, items]; NaN where an item was not measured."""
    columns = {item: column for column, item in enumerate(items)}
    long = pl.DataFrame({"labs": labs}).with_row_index("row").drop_nulls("labs").explode("labs")
    long = long.unnest("labs").filter(pl.col("item").is_in(list(items)))
    values = np.full((len(labs), len(items)), np.nan)
    places = long["item"].replace_strict(columns, return_dtype=pl.Int64).to_numpy()
    values[long["row"].to_numpy(), places] = long["value"].to_numpy()
    return values

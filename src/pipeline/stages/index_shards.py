"""Stage of rule index_shards: the tables of all parts of a corpus's tars as one index, once nothing is missing."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifests.schema import check_patients_in_one_split, read_manifest
from pipeline.records.errors import WRITE_AGAIN, UserError
from pipeline.shards.index import INDEX_SCHEMA, PARTS, ShardSummary, read_index, read_shards, write_index
from pipeline.shards.plan import order_images, plan_place
from pipeline.shards.verification import require_first_image, require_whole_shards

log = logging.getLogger(__name__)

_FROM_MANIFEST = ("key", "patient", "study", "view", "split")


def index_shards(parts: Sequence[Path], manifest: Path, index: Path) -> None:
    """Merge the tables of all parts, rows as in the plan, remove tars that it does not name, and publish the index.

    The index has the same bytes for any number of parts.

    Args:
        parts: Tables of the parts.
        manifest: Manifest they were written from.
        index: Parquet file to publish, beside the tars.

    Raises:
        UserError: A present image is in no part or in two, a row is not the manifest's, a patient is in two splits,
            or a tar is gone, of another size, or begins with another image than its table says.
    """
    written = sorted(_shards(parts), key=lambda shard: plan_place(shard[0].shard))
    table = pa.concat_tables([INDEX_SCHEMA.empty_table(), *(rows for _, rows in written)]).combine_chunks()
    summaries = [summary for summary, _ in written]
    _require_rows_of(read_manifest(manifest), table, str(manifest))
    require_whole_shards(index.parent, summaries)
    for _, rows in written:
        require_first_image(index.parent, rows.slice(0, 1).to_pylist()[0])
    _remove_others(index.parent, {part.name for part in parts} | {summary.shard for summary in summaries})
    write_index(index, table, summaries)
    log.info("%s: %d samples in %d shards", index.parent.name, table.num_rows, len(summaries))


def _shards(parts: Sequence[Path]) -> Iterator[tuple[ShardSummary, pa.Table]]:
    """Yield each tar that the tables of the parts describe, with its rows."""
    for part in parts:
        table, start = read_index(part), 0
        for summary in read_shards(part):
            rows = table.slice(start, summary.samples)
            if pc.unique(rows["shard"]).to_pylist() != [summary.shard]:
                raise UserError(f"{part} does not hold the {summary.samples} rows of {summary.shard}; {WRITE_AGAIN}")
            yield summary, rows
            start += summary.samples


def _require_rows_of(manifest: pl.DataFrame, table: pa.Table, name: str) -> None:
    """Raise `UserError` unless rows are those of the manifest's present images, each once and in the planned order."""
    text = [pl.col(column).cast(pl.String) for column in _FROM_MANIFEST]
    planned = order_images(manifest).select(text)
    rows = pl.DataFrame({column: table[column].to_pylist() for column in _FROM_MANIFEST}, planned.schema)
    _require_none(rows.filter(pl.col("key").is_duplicated()), f"is in two shards, and once in {name}")
    _require_none(planned.join(rows, on="key", how="anti"), f"is present in {name} but in no shard")
    _require_none(rows.join(planned, on=_FROM_MANIFEST, how="anti"), f"is in a shard but not, or not so, in {name}")
    check_patients_in_one_split(rows, name)
    _require_none(rows.filter(rows["key"] != planned["key"]), f"is not where the plan of {name} puts it")


def _require_none(rows: pl.DataFrame, what: str) -> None:
    if rows.height:
        raise UserError(f"image '{rows['key'][0]}' {what} ({rows.height} images in all); {WRITE_AGAIN}")


def _remove_others(folder: Path, named: set[str]) -> None:
    """Remove tables and tars of earlier plans, and what killed jobs left half written."""
    # Tables first, so that a killed job leaves none without its tars.
    for pattern in (f"{PARTS}/*.parquet", "*.tar", ".*.tmp", f"{PARTS}/.*.tmp"):
        for path in folder.glob(pattern):
            if path.name not in named:
                log.info("removed %s, which is of no part of the plan", path)
                path.unlink()

"""Stage of rule write_shards: one part of a corpus's tars, from its images and what belongs to them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipeline.manifests.schema import read_manifest
from pipeline.records.errors import UserError
from pipeline.records.progress import Progress
from pipeline.settings.corpora import ShardSettings
from pipeline.settings.fixations import FixationRule
from pipeline.shards.index import INDEX, INDEX_SCHEMA, tables_of, write_index
from pipeline.shards.originals import Originals, require_unchanged_arrays
from pipeline.shards.plan import PlannedShard, order_images, plan_shards, take_part
from pipeline.shards.samples import ManifestRow, prepare_sample
from pipeline.shards.tar import Sample, write_tar
from pipeline.sources.locations import Trees

_AHEAD = 8
"""Samples for each thread that are being prepared or wait to be written."""


def write_shards(
    trees: Trees,
    settings: ShardSettings,
    inventory: Path,
    manifest: Path,
    part: int,
    table: Path,
    threads: int,
    fixations: FixationRule = "all",
) -> None:
    """Write one part of a corpus's tars into the folder above the table's, then publish the table, their index.

    The bytes of a tar do not depend on the number of parts and threads. The index of all tars, and tables of any
    plan that name one of these, are removed first: a killed job leaves none that speaks of tars no longer there.

    Args:
        trees: The folders that paths of images and of companions are relative to.
        settings: What is stored, and in how many parts it is written.
        inventory: Inventory of the corpus, by which files that belong to images are known again.
        manifest: Manifest of the corpus.
        part: Number of the part, from 0.
        table: Parquet file to publish; it has no rows where there are fewer tars than parts.
        threads: Images decoded at a time.
        fixations: Which fixations of a reading make its gaze map, the layout's setting of that name.

    Raises:
        UserError: An image or companion is missing, has changed or cannot be decoded, or there is no image at all.
    """
    images = order_images(read_manifest(manifest))
    if images.is_empty():
        raise UserError(f"{manifest} lists no present image; put the corpus's images where its settings say")
    shards = take_part(plan_shards(images, settings.samples_per_shard), part, settings.parts)
    rows = pl.concat([images.clear(), *(shard.rows for shard in shards)])
    require_unchanged_arrays(trees.images, rows)
    own = Originals.of_inventory(trees.own, inventory)
    prepare = partial(prepare_sample, images=trees.images, own=own, settings=settings, fixations=fixations)
    _remove_tables_of(shards, table.parents[1])
    with ThreadPoolExecutor(threads) as pool, Progress(f"shards of {manifest.stem}", rows.height) as progress:
        # One stream over all tars: while one is flushed to disk, samples of the next are prepared.
        samples = _counted(_in_order(pool, prepare, rows.iter_rows(named=True), _AHEAD * threads), progress)
        written = [write_tar(table.parents[1] / shard.name, islice(samples, shard.rows.height)) for shard in shards]
    tables = [INDEX_SCHEMA.empty_table(), *(indexed for indexed, _ in written)]
    write_index(table, pa.concat_tables(tables), [summary for _, summary in written])


def _remove_tables_of(shards: Sequence[PlannedShard], folder: Path) -> None:
    (folder / INDEX).unlink(missing_ok=True)
    for table in tables_of(folder, {shard.name for shard in shards}):
        table.unlink(missing_ok=True)


def _in_order(
    pool: ThreadPoolExecutor, prepare: Callable[[ManifestRow], Sample], rows: Iterable[ManifestRow], ahead: int
) -> Iterator[Sample]:
    """Yield the samples of rows in their order; at most `ahead` are in memory."""
    waiting: deque[Future[Sample]] = deque()
    for row in rows:
        if len(waiting) == ahead:
            yield waiting.popleft().result()
        waiting.append(pool.submit(prepare, row))
    while waiting:
        yield waiting.popleft().result()


def _counted(samples: Iterable[Sample], progress: Progress) -> Iterator[Sample]:
    for sample in samples:
        progress.advance(1)
        yield sample

"""Read shards to the last bit: `python -m pipeline.stages.verify_shards results/shards/*/index.parquet`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.shards.index import PARTS, read_shards
from pipeline.shards.verification import find_faults


def verify_shards(indexes: Sequence[Path]) -> bool:
    """Print one line for each index and one for each fault; return whether there was none."""
    whole = [_is_whole(index) for index in indexes]
    return all(whole)


def _is_whole(index: Path) -> bool:
    try:
        shards, faults = read_shards(index), find_faults(index)
    except UserError as error:
        print(f"error: {error}")
        return False
    samples = sum(shard.samples for shard in shards)
    verdict = f"{len(faults)} faults" if faults else "whole"
    print(f"{index.parent}: {samples:,} samples in {len(shards):,} shards: {verdict}")
    for fault in faults:
        print(f"  {fault}")
    if tables := _tables_of(index, {fault.shard for fault in faults}):
        print(f"  to write them again: snakemake all --forcerun {' '.join(map(str, tables))}")
    return not faults


def _tables_of(index: Path, shards: set[str]) -> list[Path]:
    """Return the tables of the parts in which some shards were written."""
    tables = sorted((index.parent / PARTS).glob("*.parquet"))
    return [table for table in tables if shards & {shard.shard for shard in read_shards(table)}]


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("error: name the indexes of the shards, as in results/shards/*/index.parquet")
    sys.exit(0 if verify_shards([Path(argument) for argument in sys.argv[1:]]) else 1)

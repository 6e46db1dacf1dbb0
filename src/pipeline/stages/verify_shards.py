"""Read shards to the last bit: `python -m pipeline.stages.verify_shards results/shards/*/index.parquet`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.shards.index import PARTS, read_shards, tables_of
from pipeline.shards.verification import find_faults


def verify_shards(indexes: Sequence[Path]) -> bool:
    """Print one line for each index and one for each fault, and what to do; return whether there was none."""
    whole = [_is_whole(index) for index in indexes]
    return all(whole)


def _is_whole(index: Path) -> bool:
    try:
        shards, faults = read_shards(index), find_faults(index)
    except UserError as error:
        print(f"error: {error}")
        _print_remedy("  if that fails", sorted((index.parent / PARTS).glob("*.parquet")))
        return False
    samples = sum(shard.samples for shard in shards)
    verdict = f"{len(faults)} faults" if faults else "whole"
    print(f"{index.parent}: {samples:,} samples in {len(shards):,} shards: {verdict}")
    for fault in faults:
        print(f"  {fault}")
    if faults:
        _print_remedy("  to write them again", tables_of(index.parent, {fault.shard for fault in faults}))
    return not faults


def _print_remedy(when: str, tables: Sequence[Path]) -> None:
    """Print how the tars of some tables, or all, are written again; with equal bytes nothing else is then stale."""
    forced = f" --forcerun {shlex.join(map(_name_in_rules, tables))}" if tables else ", once the index is deleted"
    print(f"{when}: snakemake shards{forced}")
    print("  and then: snakemake all; both with the --profile and --configfile of the run")


def _name_in_rules(table: Path) -> str:
    """Return a path as rules have it: relative to the working directory where it is below it."""
    here, whole = Path.cwd(), table.absolute()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("error: name the indexes of the shards, as in results/shards/*/index.parquet")
    sys.exit(0 if verify_shards([Path(argument) for argument in sys.argv[1:]]) else 1)

"""Hand rule write_shards's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.corpora import ShardSettings, Source
from pipeline.sources.locations import raw_root
from pipeline.stages.write_shards import write_shards

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    write_shards(
        root=raw_root(parse(Source, snakemake.params.source), Path(snakemake.input.inventory)),
        settings=parse(ShardSettings, snakemake.params.settings),
        manifest=Path(snakemake.input.manifest),
        index=Path(snakemake.output.index),
        threads=snakemake.threads,
    )

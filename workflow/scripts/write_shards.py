"""Hand rule write_shards's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.corpora import ShardSettings, Source
from pipeline.sources.locations import Located, locate
from pipeline.stages.write_shards import write_shards

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    write_shards(
        trees=locate(
            own=Located(parse(Source, snakemake.params.source), Path(snakemake.input.inventory)),
            lenders={
                role: Located(parse(Source, source), Path(snakemake.input[role]))
                for role, source in snakemake.params.lenders.items()
            },
        ),
        settings=parse(ShardSettings, snakemake.params.settings | {"parts": snakemake.wildcards.parts}),
        inventory=Path(snakemake.input.inventory),
        manifest=Path(snakemake.input.manifest),
        part=int(snakemake.wildcards.part) - 1,
        table=Path(snakemake.output.table),
        threads=snakemake.threads,
        fixations=snakemake.params.fixations,
    )

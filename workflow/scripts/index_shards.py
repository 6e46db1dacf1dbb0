"""Hand rule index_shards's files to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.stages.index_shards import index_shards

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    index_shards(
        parts=[Path(part) for part in snakemake.input.parts],
        manifest=Path(snakemake.input.manifest),
        index=Path(snakemake.output.index),
    )

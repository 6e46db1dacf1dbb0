"""Hand rule draw_reconstructions's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.stages.draw_reconstructions import draw_reconstructions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    draw_reconstructions(
        weights=Path(snakemake.input.weights),
        settings=Path(snakemake.input.settings),
        indexes=[Path(index) for index in snakemake.input.indexes],
        threads=snakemake.threads,
        figure=Path(snakemake.output.figure),
    )

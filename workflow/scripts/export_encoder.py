"""Hand rule export_encoder's files to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.stages.export_encoder import export_encoder

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    export_encoder(
        name=snakemake.wildcards.encoder,
        folder=Path(snakemake.input.encoder).parent,
        model=Path(snakemake.output.model),
    )

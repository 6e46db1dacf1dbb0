"""Hand rule pretrain_encoder's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.stages.pretrain_encoder import Run, pretrain_encoder

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    run = Run(
        name=snakemake.wildcards.run,
        settings=parse(PretrainingSettings, snakemake.params.settings),
        indexes={Path(index).parent.name: Path(index) for index in snakemake.input.indexes},
        code=snakemake.params.code,
        encoder_folder=Path(snakemake.output.encoder).parent,
        run_folder=Path(snakemake.output.weights).parent,
        threads=snakemake.threads,
    )
    pretrain_encoder(run)

"""Hand rule pretrain_encoder's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.stages.pretrain_encoder import pretrain_encoder
from pipeline.stages.training_run import Run

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    run = Run(
        name=snakemake.wildcards.run,
        settings=parse(PretrainingSettings, snakemake.params.settings),
        initial=Path(snakemake.input.initial).parent if snakemake.input.get("initial") else None,
        indexes={Path(index).parent.name: Path(index) for index in snakemake.input.indexes},
        code=snakemake.params.code,
        encoder_folder=Path(snakemake.output.encoder).parent,
        run_folder=Path(snakemake.output.weights).parent,
        hardware=Hardware(
            threads=snakemake.threads,
            nodes=snakemake.resources.nodes,
            processes=snakemake.resources.processes,
            gpus=snakemake.resources.gpu,
            device_batch=snakemake.resources.device_batch,
            readers=snakemake.resources.readers,
            checkpoint_minutes=snakemake.resources.checkpoint_minutes,
            runtime_minutes=snakemake.resources.runtime,
        ),
        log=Path(snakemake.log[0]),
        confidential=snakemake.params.confidential,
    )
    pretrain_encoder(run)

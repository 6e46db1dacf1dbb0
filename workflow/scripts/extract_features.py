"""Hand rule extract_features's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.evaluation import FeatureSettings
from pipeline.settings.hardware import Hardware
from pipeline.stages.extract_features import extract_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    extract_features(
        encoder_folder=Path(snakemake.input.encoder).parent,
        index=Path(snakemake.input.index),
        settings=parse(FeatureSettings, snakemake.params.settings),
        hardware=Hardware(threads=snakemake.threads, gpus=snakemake.resources.gpu),
        features=Path(snakemake.output.features),
    )

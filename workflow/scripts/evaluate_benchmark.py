"""Hand rule evaluate_benchmark's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.benchmarks import BenchmarkSettings, Probe
from pipeline.settings.probes import BootstrapSettings
from pipeline.stages.evaluate_benchmark import Evaluation, evaluate_benchmark

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    evaluation = Evaluation(
        benchmark=snakemake.wildcards.benchmark,
        encoder=snakemake.wildcards.encoder,
        protocol=snakemake.wildcards.protocol,
        settings=parse(BenchmarkSettings, snakemake.params.settings),
        probe=parse(Probe, snakemake.params.probe),
        bootstrap=parse(BootstrapSettings, snakemake.params.bootstrap),
        features=Path(snakemake.input.features),
        index=Path(snakemake.input.index),
        manifest=Path(snakemake.input.manifest),
        code=snakemake.params.code,
    )
    evaluate_benchmark(evaluation, Path(snakemake.output.record), Path(snakemake.output.scores))

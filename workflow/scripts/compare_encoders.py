"""Hand rule compare_encoders's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.probes import BootstrapSettings
from pipeline.stages.compare_encoders import Evaluated, compare_encoders

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    compare_encoders(
        ours=Evaluated(Path(snakemake.input.record), Path(snakemake.input.scores)),
        control=Evaluated(Path(snakemake.input.control_record), Path(snakemake.input.control_scores)),
        bootstrap=parse(BootstrapSettings, snakemake.params.bootstrap),
        code=snakemake.params.code,
        record=Path(snakemake.output.record),
    )

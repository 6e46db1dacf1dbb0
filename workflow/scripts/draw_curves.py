"""Hand rule draw_curves's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.reporting.curves import draw_loss_curve

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    draw_loss_curve(
        history=Path(snakemake.input.history),
        figure=Path(snakemake.output.figure),
        title=snakemake.wildcards.run,
    )

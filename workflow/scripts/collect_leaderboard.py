"""Hand rule collect_leaderboard's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.stages.collect_leaderboard import collect_leaderboard

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    collect_leaderboard(
        records=[Path(record) for record in snakemake.input.records],
        controls=snakemake.params.controls,
        leaderboard=Path(snakemake.output.leaderboard),
    )

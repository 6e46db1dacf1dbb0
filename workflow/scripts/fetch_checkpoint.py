"""Hand rule fetch_checkpoint's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.stages.fetch_checkpoint import HubFile, fetch_checkpoint

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    fetch_checkpoint(
        HubFile(**snakemake.params.hub),
        sha256=snakemake.params.sha256,
        target=Path(snakemake.output.checkpoint),
    )

"""Hand rule publish_control's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.encoder import EncoderSettings
from pipeline.stages.publish_control import ControlRecipe, publish_control

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    own = snakemake.resources.file
    publish_control(
        settings=parse(ControlRecipe, snakemake.params.settings),
        like=parse(EncoderSettings | None, snakemake.params.like),
        checkpoint=Path(own) if own else next(map(Path, snakemake.input), None),
        folder=Path(snakemake.output.encoder).parent,
    )

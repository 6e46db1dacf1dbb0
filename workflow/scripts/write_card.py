"""Hand rule write_card's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.encoders import ControlSettings
from pipeline.settings.pretraining import EncoderSettings, PretrainingSettings
from pipeline.stages.write_card import write_card

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    write_card(
        name=snakemake.wildcards.encoder,
        settings=parse(PretrainingSettings | ControlSettings, snakemake.params.settings),
        like=parse(EncoderSettings | None, snakemake.params.like),
        card=Path(snakemake.output.card),
    )

"""Hand rule write_card's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.reporting.provenance import Provenance
from pipeline.settings.base import parse
from pipeline.stages.write_card import write_card

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    write_card(
        provenance=parse(Provenance, snakemake.params.provenance),
        weights=Path(snakemake.input.encoder),
        record=Path(snakemake.input.record) if snakemake.input.get("record") else None,
        card=Path(snakemake.output.card),
    )

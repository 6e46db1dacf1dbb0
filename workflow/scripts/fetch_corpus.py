"""Hand rule fetch_corpus's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.corpora import InventorySettings, Layout, Source
from pipeline.stages.fetch_corpus import fetch_corpus

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    fetch_corpus(
        name=snakemake.wildcards.corpus,
        source=parse(Source, snakemake.params.source),
        layout=parse(Layout, snakemake.params.layout),
        settings=parse(InventorySettings, snakemake.params.settings),
        inventory=Path(snakemake.output.inventory),
    )

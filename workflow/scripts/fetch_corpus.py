"""Hand rule fetch_corpus's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.corpora import InventorySettings, Source
from pipeline.settings.layouts import Layout
from pipeline.settings.registry import read_registry
from pipeline.sources.locations import Located
from pipeline.stages.fetch_corpus import fetch_corpus

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    fetch_corpus(
        name=snakemake.wildcards.corpus,
        own=Located(parse(Source, snakemake.params.source), Path(snakemake.output.inventory)),
        lenders={
            role: Located(parse(Source, source), Path(snakemake.input[role]))
            for role, source in snakemake.params.lenders.items()
        },
        layout=parse(Layout, snakemake.params.layout),
        settings=parse(InventorySettings, snakemake.params.settings),
        publications=read_registry(Path(snakemake.input.registry)).publications,
        connections=snakemake.resources.connections,
    )

"""Hand rule fetch_corpus's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.corpora import InventorySettings, Source
from pipeline.settings.layouts.parse import parse_layout
from pipeline.settings.registry import find_publications, read_registry
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
        layout=parse_layout(snakemake.params.layout),
        settings=parse(InventorySettings, snakemake.params.settings),
        publications=find_publications(
            read_registry(Path(snakemake.input.registry)), filter(None, snakemake.resources.advice.split(",")), "advice"
        ),
        connections=snakemake.resources.connections,
    )

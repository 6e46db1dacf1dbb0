"""Hand rule build_manifest's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.corpora import Source, SplitSettings
from pipeline.settings.layouts.parse import parse_layout
from pipeline.sources.locations import Located
from pipeline.stages.build_manifest import build_manifest

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], snakemake.params.confidential):
    build_manifest(
        name=snakemake.wildcards.corpus,
        own=Located(parse(Source, snakemake.params.source), Path(snakemake.input.inventory)),
        lenders={
            role: Located(parse(Source, source), Path(snakemake.input[role]))
            for role, source in snakemake.params.lenders.items()
        },
        layout=parse_layout(snakemake.params.layout),
        splits=parse(SplitSettings, snakemake.params.splits),
        others={Path(manifest).stem: Path(manifest) for manifest in snakemake.input.others},
        manifest=Path(snakemake.output.manifest),
    )

"""Hand rule build_manifest's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.corpora import Layout, Source, SplitSettings
from pipeline.stages.build_manifest import build_manifest

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    build_manifest(
        name=snakemake.wildcards.corpus,
        source=parse(Source, snakemake.params.source),
        layout=parse(Layout, snakemake.params.layout),
        splits=parse(SplitSettings, snakemake.params.splits),
        inventory=Path(snakemake.input.inventory),
        manifest=Path(snakemake.output.manifest),
    )

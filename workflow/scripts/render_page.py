"""Hand rule render_page's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.settings.base import parse
from pipeline.settings.methods import MethodSettings
from pipeline.settings.reporting import ReportSettings
from pipeline.stages.render_report import render_report

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    render_report(
        records=[Path(record) for record in (*snakemake.input.records, *snakemake.input.comparisons)],
        curves=[Path(figure) for figure in snakemake.input.curves],
        reconstructions=[Path(figure) for figure in snakemake.input.reconstructions],
        methods=parse(dict[str, MethodSettings], snakemake.params.methods),
        controls=snakemake.params.controls,
        audit=Path(snakemake.input.audit),
        unaudited=snakemake.params.unaudited,
        settings=parse(ReportSettings, snakemake.params.settings),
        page=Path(snakemake.output.page),
    )

"""Hand rule audit_leakage's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.manifests.leakage import Pair, Part
from pipeline.records.logs import rule_log
from pipeline.settings.audit import AuditSettings
from pipeline.settings.base import parse
from pipeline.stages.audit_leakage import audit_leakage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0], bool(snakemake.params.confidential)):
    audit_leakage(
        manifests={Path(manifest).stem: Path(manifest) for manifest in snakemake.input.manifests},
        indexes={Path(index).parent.name: Path(index) for index in snakemake.input.indexes},
        pairs=[Pair(Part(*trained), Part(*tested)) for trained, tested in snakemake.params.pairs],
        settings=parse(AuditSettings, snakemake.params.settings),
        confidential=snakemake.params.confidential,
        audit_file=Path(snakemake.output.audit),
    )

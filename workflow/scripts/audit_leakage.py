"""Hand rule audit_leakage's files and settings to its stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records.logs import rule_log
from pipeline.stages.audit_leakage import audit_leakage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with rule_log(snakemake.log[0]):
    audit_leakage(
        manifests={Path(manifest).stem: Path(manifest) for manifest in snakemake.input.manifests},
        trained=[tuple(part) for part in snakemake.params.trained],
        tested=[tuple(part) for part in snakemake.params.tested],
        audit_file=Path(snakemake.output.audit),
    )

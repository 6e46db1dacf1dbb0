from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline.records.digests import code_digest, file_digest, module_file
from pipeline.records.errors import UserError
from pipeline.reporting.lineage import provenance_of
from pipeline.settings.config import resolve
from pipeline.settings.corpus import is_confidential
from pipeline.settings.registry import find_publications, read_registry, release_digest
from pipeline.sources.locations import (
    COHORT_MODULE,
    DOWNLOAD_MODULE,
    adapter_module,
    phantom_module,
)
from pipeline.stages.check_configuration import check_configuration

# From here on the configuration is complete: every default stands in it, so `params` hold what
# really runs and a changed default makes stale what it changes.
try:
    resolved = resolve(config)
    check_configuration(resolved)
    config.update(resolved.model_dump(mode="json"))
    registry = read_registry(Path(config["registry"]))
    for name, corpus in resolved.corpora.items():
        names = getattr(corpus.source, "publications", ())
        find_publications(registry, names, f"corpora.{name}.source.publications")
except UserError as error:
    raise WorkflowError(str(error))

# No Python, so no code digest sees it.
PAGE_TEMPLATE = module_file("pipeline.reporting").with_name("page.html")

# The folder of either Snakefile: the root's, or the one in `workflow`.
SCRIPTS = next(
    folder
    for folder in (
        Path(workflow.basedir).resolve() / "workflow/scripts",
        Path(workflow.basedir).resolve() / "scripts",
    )
    if folder.is_dir()
)


def script_code(name, modules=()):
    """Digest a script, the named modules, and all of the package that they import."""
    return code_digest([SCRIPTS / f"{name}.py", *map(module_file, modules)])


def confidential(corpora):
    """List those of some corpora that logs and reports may not show."""
    settings = {name: resolved.corpora[name] for name in corpora}
    return [
        name
        for name, corpus in settings.items()
        if is_confidential(corpus.source, corpus.layout)
    ]


def confidential_corpus(wildcards):
    """Tell whether the corpus of a job may not show in its log."""
    return bool(confidential([wildcards.corpus]))


def confidential_benchmark(wildcards):
    """Tell whether the corpus of a benchmark may not show in a log."""
    return bool(confidential([config["benchmarks"][wildcards.benchmark]["corpus"]]))


def confidential_run(wildcards):
    """Tell whether any corpus of a run may not show in a log."""
    return bool(confidential(config["pretrain"][wildcards.run]["corpora"]))


def growing(amount, unit):
    """Ask for memory or time, and for as much again with each further try; the one before may have run short."""

    def asked(wildcards, attempt):
        return f"{amount * attempt}{unit}"

    return asked

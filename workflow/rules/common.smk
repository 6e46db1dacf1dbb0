from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline.records.digests import code_digest, file_digest, module_file
from pipeline.records.errors import UserError
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

SCRIPTS = Path(workflow.basedir).resolve()
SCRIPTS = (
    SCRIPTS.parent if SCRIPTS.name == "workflow" else SCRIPTS
) / "workflow/scripts"


def script_code(name, modules=()):
    """Digest a script, the named modules, and all of the package that they import."""
    return code_digest([SCRIPTS / f"{name}.py", *map(module_file, modules)])


def is_downloaded(corpus):
    """Tell whether a corpus is downloaded here."""
    return config["corpora"][corpus]["source"]["kind"] == "download"


def publications_of(corpus):
    """List the registry's entries that say how a corpus is had; none for synthetic ones."""
    names = config["corpora"][corpus]["source"].get("publications", [])
    return [registry.publications[name] for name in names]


def releases(wildcards):
    """Digest what decides which bytes the downloads of a corpus bring."""
    if not is_downloaded(wildcards.corpus):
        return []
    return [release_digest(entry) for entry in publications_of(wildcards.corpus)]


def raw_source(corpus):
    """Return a corpus's source without what only words a sentence."""
    source = config["corpora"][corpus]["source"]
    kept = {key: value for key, value in source.items() if key != "publications"}
    return source if is_downloaded(corpus) else kept


def own_source(wildcards):
    """Return where a corpus's raw files come from."""
    return raw_source(wildcards.corpus)


def advice(wildcards):
    """Name the publications that say how missing files are had; as a resource, it makes nothing stale."""
    return ",".join(
        config["corpora"][wildcards.corpus]["source"].get("publications", [])
    )


def connections(wildcards):
    """Ask for four connections to a publisher where the corpus is downloaded; profiles may allow fewer."""
    return 4 if is_downloaded(wildcards.corpus) else 0


def origin(wildcards):
    """Say where a corpus's raw files come from, what access that needs, and how large they are."""
    published = publications_of(wildcards.corpus)
    if not published:
        source = config["corpora"][wildcards.corpus]["source"]
        return source.get("root", "made here, synthetic")
    return " and ".join(
        f"{entry.title} {entry.version} ({entry.access} access; {entry.files} files; "
        f"{entry.bytes / 1e9:.1f} GB; {entry.page})"
        for entry in published
    )


def fetch_code(wildcards):
    """Digest what makes a corpus's inventory: its adapter, and what generates or downloads it."""
    corpus = config["corpora"][wildcards.corpus]
    layout = corpus["layout"]["format"]
    makers = {
        "phantom": [COHORT_MODULE, phantom_module(layout)],
        "download": [DOWNLOAD_MODULE],
    }
    modules = makers.get(corpus["source"]["kind"], [])
    return script_code("fetch_corpus", [adapter_module(layout), *modules])


def lenders(corpus):
    """Name, by role, the corpora whose folders hold files of this one."""
    return resolved.corpora[corpus].layout.borrowed()


def lender_inventories(wildcards):
    """Name the inventories of the corpora that files are borrowed from, by role."""
    return {
        role: f"<results>/inventory/{lender}.parquet"
        for role, lender in lenders(wildcards.corpus).items()
    }


def lender_sources(wildcards):
    """Return the sources of the corpora that files are borrowed from, by role."""
    return {
        role: raw_source(lender) for role, lender in lenders(wildcards.corpus).items()
    }


def image_corpus(corpus):
    """Name the corpus whose folder holds a corpus's images."""
    return lenders(corpus).get("images", corpus)


def image_source(wildcards):
    """Return the source of the corpus whose folder holds a corpus's images."""
    return raw_source(image_corpus(wildcards.corpus))


def image_inventory(wildcards):
    """Name the inventory of the corpus whose folder holds a corpus's images."""
    return f"<results>/inventory/{image_corpus(wildcards.corpus)}.parquet"


def sharded_corpora():
    """List the corpora whose images go into shards."""
    return [name for name, corpus in config["corpora"].items() if corpus["shards"]]


def excluding_manifests(wildcards):
    """Name the manifests of the corpora whose patients a corpus gives up."""
    exclusions = config["corpora"][wildcards.corpus]["splits"]["exclude"]
    return [
        f"<results>/manifests/{exclusion['patients_of']}.parquet"
        for exclusion in exclusions
    ]


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


def runs_to_show():
    """List the runs whose images may stand in the report."""
    runs = config["pretrain"].items()
    return [name for name, run in runs if not confidential(run["corpora"])]


def manifest_code(wildcards):
    """Digest what makes a corpus's manifest, its adapter included."""
    layout = config["corpora"][wildcards.corpus]["layout"]["format"]
    return script_code("build_manifest", [adapter_module(layout)])


def run_indexes(wildcards):
    """List the shard indexes a run is trained on, in the order of its settings."""
    corpora = config["pretrain"][wildcards.run]["corpora"]
    return [f"<results>/shards/{corpus}/index.parquet" for corpus in corpora]


def encoder_settings(wildcards):
    """Return the settings of the run that trains an encoder, or of the control it is."""
    return {**config["pretrain"], **config["controls"]}[wildcards.encoder]


def copied_architecture(wildcards):
    """Return the encoder settings a random control copies; none for other encoders."""
    control = config["controls"].get(wildcards.encoder, {})
    return config["pretrain"][control["like"]]["encoder"] if "like" in control else None


def benchmark_features(wildcards):
    """Name the features of a benchmark's corpus."""
    corpus = config["benchmarks"][wildcards.benchmark]["corpus"]
    return f"<results>/features/{wildcards.encoder}/{corpus}.safetensors"


def benchmark_index(wildcards):
    """Name the shard index of a benchmark's corpus."""
    corpus = config["benchmarks"][wildcards.benchmark]["corpus"]
    return f"<results>/shards/{corpus}/index.parquet"


def benchmark_manifest(wildcards):
    """Name the manifest of a benchmark's corpus."""
    corpus = config["benchmarks"][wildcards.benchmark]["corpus"]
    return f"<results>/manifests/{corpus}.parquet"


def protocols_of(encoder):
    """List the protocols that evaluate an encoder."""
    protocols = config["protocols"].items()
    return [name for name, protocol in protocols if encoder in protocol["encoders"]]


def compared_protocols(encoder, control):
    """Return the protocols of a comparison: one that both share, or else the first of each."""
    ours, theirs = protocols_of(encoder), protocols_of(control)
    shared = [name for name in ours if name in theirs]
    return (shared[0], shared[0]) if shared else (ours[0], theirs[0])


def compared_record(wildcards):
    """Name the record of the encoder that is compared."""
    protocol, _ = compared_protocols(wildcards.encoder, wildcards.control)
    return (
        f"<results>/evaluate/{wildcards.benchmark}/{wildcards.encoder}/{protocol}.json"
    )


def compared_scores(wildcards):
    """Name the scores of the encoder that is compared."""
    protocol, _ = compared_protocols(wildcards.encoder, wildcards.control)
    return f"<results>/evaluate/{wildcards.benchmark}/{wildcards.encoder}/{protocol}.scores.safetensors"


def control_record(wildcards):
    """Name the record of the control it is compared with."""
    _, protocol = compared_protocols(wildcards.encoder, wildcards.control)
    return (
        f"<results>/evaluate/{wildcards.benchmark}/{wildcards.control}/{protocol}.json"
    )


def control_scores(wildcards):
    """Name the scores of the control it is compared with."""
    _, protocol = compared_protocols(wildcards.encoder, wildcards.control)
    return f"<results>/evaluate/{wildcards.benchmark}/{wildcards.control}/{protocol}.scores.safetensors"


def metric_records():
    """List the records of every benchmark, encoder and protocol of the configuration."""
    return [
        f"<results>/evaluate/{benchmark}/{encoder}/{name}.json"
        for benchmark in config["benchmarks"]
        for name, protocol in config["protocols"].items()
        for encoder in protocol["encoders"]
    ]


def comparison_records():
    """List the comparisons of every evaluated run with every evaluated control."""
    runs = [run for run in config["pretrain"] if protocols_of(run)]
    controls = [control for control in config["controls"] if protocols_of(control)]
    return [
        f"<results>/compare/{benchmark}/{run}/minus_{control}.json"
        for benchmark in config["benchmarks"]
        for run in runs
        for control in controls
    ]


def audited_pairs():
    """List every pair of a trained and a tested (corpus, split) that one number brings together."""
    pairs = set()
    for name, benchmark in config["benchmarks"].items():
        runs = [run for run in config["pretrain"] if protocols_of(run)]
        trained = {benchmark["corpus"]}.union(
            *(config["pretrain"][run]["corpora"] for run in runs)
        )
        pairs |= {
            ((corpus, split), (benchmark["corpus"], "test"))
            for corpus in trained
            for split in ("train", "val")
        }
    return [[list(trained), list(tested)] for trained, tested in sorted(pairs)]


def audited_corpora():
    """List the corpora that the audit compares."""
    parts = [part for pair in audited_pairs() for part in pair]
    return sorted({corpus for corpus, _ in parts})

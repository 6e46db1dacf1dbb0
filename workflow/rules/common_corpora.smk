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


def of_images(by_role):
    """Keep the role of images, all that shards borrow, of what an input function names by role."""
    return lambda wildcards: {
        role: lent for role, lent in by_role(wildcards).items() if role == "images"
    }


def excluding_manifests(wildcards):
    """Name the manifests of the corpora whose patients a corpus gives up."""
    exclusions = config["corpora"][wildcards.corpus]["splits"]["exclude"]
    return [
        f"<results>/manifests/{exclusion['patients_of']}.parquet"
        for exclusion in exclusions
    ]


def manifest_code(wildcards):
    """Digest what makes a corpus's manifest, its adapter included."""
    layout = config["corpora"][wildcards.corpus]["layout"]["format"]
    return script_code("build_manifest", [adapter_module(layout)])


def sharded_corpora():
    """List the corpora whose images go into shards."""
    return [name for name, corpus in config["corpora"].items() if corpus["shards"]]


def shard_settings(wildcards):
    """Return what decides the bytes of a corpus's tars; the number of parts does not."""
    settings = config["corpora"][wildcards.corpus]["shards"]
    return {key: value for key, value in settings.items() if key != "parts"}


def fixations(wildcards):
    """Say which fixations of a reading make its gaze map; layouts without gaze have no such setting."""
    return config["corpora"][wildcards.corpus]["layout"].get("fixations", "all")


def shard_parts(wildcards):
    """Name the tables of the parts in which a corpus's tars are written."""
    parts = config["corpora"][wildcards.corpus]["shards"]["parts"]
    return [
        f"<results>/shards/{wildcards.corpus}/parts/{part}-of-{parts}.parquet"
        for part in range(1, parts + 1)
    ]


def audited_pairs():
    """List every pair of a trained and a tested (corpus, split) that one number brings together."""
    pairs = set()
    for name, benchmark in config["benchmarks"].items():
        encoders = filter(protocols_of, [*config["pretrain"], *config["controls"]])
        trained = {benchmark["corpus"]}.union(*map(corpora_behind, encoders))
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

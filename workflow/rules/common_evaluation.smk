def runs_to_show():
    """List the runs whose images may stand in the report."""
    runs = config["pretrain"].items()
    return [name for name, run in runs if not confidential(run["corpora"])]


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

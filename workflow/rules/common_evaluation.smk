def runs_to_show():
    """List the runs whose images may stand in the report."""
    runs = config["pretrain"].items()
    return [name for name, run in runs if not confidential(run["corpora"])]


def methods_to_show():
    """Return what each run is pretrained by whose images may stand in the report."""
    return {run: config["pretrain"][run]["task"] for run in runs_to_show()}


def run_indexes(wildcards):
    """List the shard indexes a run is trained on, in the order of its settings."""
    corpora = config["pretrain"][wildcards.run]["corpora"]
    return [f"<results>/shards/{corpus}/index.parquet" for corpus in corpora]


def corpora_behind(encoder):
    """List the corpora an encoder was trained on, here or by others, and those of the encoders it starts from."""
    if encoder in config["pretrain"]:
        run = config["pretrain"][encoder]
        return [*run["corpora"], *corpora_behind(run["initial"])]
    return config["controls"].get(encoder, {}).get("trained_on", [])


def initial_encoder(wildcards):
    """Name the encoder whose weights a run starts from; nothing where it starts from fresh ones."""
    initial = config["pretrain"][wildcards.run]["initial"]
    if initial is None:
        return {}
    return {
        "initial": f"<results>/encoders/{initial}/model.safetensors",
        "initial_config": f"<results>/encoders/{initial}/config.json",
    }


def control_kinds():
    """Return what kind of control each encoder is that is not trained here."""
    return {name: control["kind"] for name, control in config["controls"].items()}


def control_settings(wildcards):
    """Return what a control's weights depend on: of a foreign encoder, not where it lies, nor what its card words."""
    control = config["controls"][wildcards.encoder]
    if control["kind"] != "foreign":
        return control
    return {key: control[key] for key in ("kind", "format", "encoder", "sha256")}


def hub_controls():
    """List the foreign encoders whose checkpoints are on the Hugging Face hub."""
    controls = config["controls"].items()
    return [name for name, control in controls if control.get("repository")]


def hub_file(wildcards):
    """Name a foreign encoder's checkpoint on the hub."""
    control = config["controls"][wildcards.encoder]
    return {key: control[key] for key in ("repository", "revision", "weights")}


def fetched_checkpoint(wildcards):
    """Name a foreign encoder's fetched checkpoint, whose digest says when it is another; nothing for other controls."""
    if wildcards.encoder not in hub_controls():
        return []
    return ancient(f"<results>/checkpoints/{wildcards.encoder}/checkpoint")


def own_checkpoint(wildcards):
    """Name the user's own file of a foreign encoder; as a resource, its place and its time make nothing stale."""
    return config["controls"][wildcards.encoder].get("file") or ""


def one_of(names):
    """Return the regular expression of some names; where there are none, it matches nothing."""
    return "|".join(names) or "(?!)"


def networks():
    """List the encoders that are networks."""
    controls = config["controls"].items()
    return [
        *config["pretrain"],
        *(name for name, control in controls if control["kind"] != "pixels"),
    ]


def run_record(wildcards):
    """Name the record of the run that trains an encoder; nothing for controls."""
    if wildcards.encoder not in config["pretrain"]:
        return {}
    return {"record": f"<results>/runs/{wildcards.encoder}/run.json"}


def encoder_provenance(wildcards):
    """Say what an encoder, and all whose weights are in it, were made of."""
    provenance = provenance_of(resolved, registry, wildcards.encoder)
    return provenance.model_dump(mode="json")


def copied_architecture(wildcards):
    """Return the encoder settings a random control copies; none for other encoders."""
    like = config["controls"].get(wildcards.encoder, {}).get("like")
    shaped = {**config["pretrain"], **config["controls"]}
    return None if like is None else shaped[like]["encoder"]


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
    """List the comparisons of every evaluated run with every evaluated control, and with the runs it is set beside."""
    beside = config["comparisons"]
    return [
        f"<results>/compare/{benchmark}/{run}/minus_{other}.json"
        for benchmark in config["benchmarks"]
        for run in config["pretrain"]
        for other in [*config["controls"], *beside.get(run, [])]
        if protocols_of(run) and protocols_of(other)
    ]

rule pretrain_encoder:
    """Train one masked autoencoder; a rerun continues from its last saved step."""
    input:
        indexes=run_indexes,
        audit=ancient("<results>/audit/leakage.json"),
    output:
        encoder=protected(
            ensure("<results>/encoders/{run}/model.safetensors", non_empty=True)
        ),
        config="<results>/encoders/{run}/config.json",
        card="<results>/encoders/{run}/README.md",
        weights=ensure("<results>/runs/{run}/model.safetensors", non_empty=True),
        settings="<results>/runs/{run}/settings.json",
        history="<results>/runs/{run}/history.jsonl",
        record="<results>/runs/{run}/run.json",
    log:
        "<logs>/pretrain_encoder/{run}.log",
    benchmark:
        "<benchmarks>/pretrain_encoder/{run}.jsonl"
    wildcard_constraints:
        run="|".join(config["pretrain"]),
    threads: 8
    resources:
        gpu=1,
        mem="16GB",
        runtime="2d",
    params:
        settings=lookup(dpath="pretrain/{run}", within=config),
        code=script_code("pretrain_encoder"),
    script:
        "../scripts/pretrain_encoder.py"


rule publish_control:
    """Publish an encoder nobody trained: what every number is compared with."""
    output:
        encoder=ensure("<results>/encoders/{control}/model.safetensors", non_empty=True),
        config="<results>/encoders/{control}/config.json",
        card="<results>/encoders/{control}/README.md",
    log:
        "<logs>/publish_control/{control}.log",
    benchmark:
        "<benchmarks>/publish_control/{control}.jsonl"
    wildcard_constraints:
        control="|".join(config["controls"]),
    threads: 1
    resources:
        mem="4GB",
        runtime="10m",
    params:
        settings=lookup(dpath="controls/{control}", within=config),
        like=control_architecture,
        code=script_code("publish_control"),
    script:
        "../scripts/publish_control.py"


rule draw_curves:
    """Draw the losses and learning rate of one run."""
    input:
        history="<results>/runs/{run}/history.jsonl",
    output:
        figure=report(
            ensure("<results>/runs/{run}/curves.svg", non_empty=True),
            caption="../report/curves.rst",
            category="Pretraining",
            subcategory="{run}",
            labels={"run": "{run}", "figure": "loss curve"},
        ),
    log:
        "<logs>/draw_curves/{run}.log",
    benchmark:
        "<benchmarks>/draw_curves/{run}.jsonl"
    threads: 1
    resources:
        mem="2GB",
        runtime="10m",
    params:
        code=script_code("draw_curves"),
    script:
        "../scripts/draw_curves.py"


rule draw_reconstructions:
    """Draw validation images masked, reconstructed and as they are."""
    input:
        weights="<results>/runs/{run}/model.safetensors",
        settings="<results>/runs/{run}/settings.json",
        indexes=run_indexes,
    output:
        figure=report(
            ensure("<results>/runs/{run}/reconstructions.png", non_empty=True),
            caption="../report/reconstructions.rst",
            category="Pretraining",
            subcategory="{run}",
            labels={"run": "{run}", "figure": "reconstructions"},
        ),
    log:
        "<logs>/draw_reconstructions/{run}.log",
    benchmark:
        "<benchmarks>/draw_reconstructions/{run}.jsonl"
    threads: 2
    resources:
        mem="8GB",
        runtime="10m",
    params:
        code=script_code("draw_reconstructions"),
    script:
        "../scripts/draw_reconstructions.py"


rule pretrain:
    """Train every run and draw how it went."""
    input:
        collect("<results>/runs/{run}/curves.svg", run=config["pretrain"]),
        collect("<results>/runs/{run}/reconstructions.png", run=config["pretrain"]),

rule pretrain_encoder:
    """Pretrain one encoder; a rerun continues from its last saved step."""
    input:
        unpack(initial_encoder),
        indexes=run_indexes,
        audit=ancient("<results>/audit/leakage.json"),
    output:
        encoder=protected(
            ensure("<results>/encoders/{run}/model.safetensors", non_empty=True)
        ),
        config="<results>/encoders/{run}/config.json",
        weights=ensure("<results>/runs/{run}/model.safetensors", non_empty=True),
        settings="<results>/runs/{run}/settings.json",
        history="<results>/runs/{run}/history.jsonl",
        record="<results>/runs/{run}/run.json",
        quarantine="<results>/runs/{run}/quarantine.jsonl",
    log:
        "<logs>/pretrain_encoder/{run}.log",
    benchmark:
        "<benchmarks>/pretrain_encoder/{run}.jsonl"
    wildcard_constraints:
        run=one_of(config["pretrain"]),
    threads: 8
    resources:
        nodes=1,
        processes=0,
        gpu=1,
        device_batch=0,
        readers=-1,
        checkpoint_minutes=10,
        mem=growing(16, "GB"),
        runtime="1d",
    params:
        settings=lookup(dpath="pretrain/{run}", within=config),
        confidential=confidential_run,
        code=script_code("pretrain_encoder"),
    script:
        "../scripts/pretrain_encoder.py"


rule fetch_checkpoint:
    """Download a foreign encoder's checkpoint from the Hugging Face hub, and verify it."""
    output:
        checkpoint=ensure("<results>/checkpoints/{encoder}/checkpoint", non_empty=True),
    log:
        "<logs>/fetch_checkpoint/{encoder}.log",
    benchmark:
        "<benchmarks>/fetch_checkpoint/{encoder}.jsonl"
    wildcard_constraints:
        encoder=one_of(hub_controls()),
    threads: 1
    resources:
        connections=1,
        mem="2GB",
        runtime="2h",
    params:
        hub=hub_file,
        sha256=lookup(dpath="controls/{encoder}/sha256", within=config),
        code=script_code("fetch_checkpoint"),
    script:
        "../scripts/fetch_checkpoint.py"


rule publish_control:
    """Publish an encoder that is not trained here: what every number is compared with."""
    input:
        checkpoint=fetched_checkpoint,
    output:
        encoder=ensure("<results>/encoders/{encoder}/model.safetensors", non_empty=True),
        config="<results>/encoders/{encoder}/config.json",
    log:
        "<logs>/publish_control/{encoder}.log",
    benchmark:
        "<benchmarks>/publish_control/{encoder}.jsonl"
    wildcard_constraints:
        encoder=one_of(config["controls"]),
    threads: 1
    resources:
        mem=growing(4, "GB"),
        runtime="10m",
        file=own_checkpoint,
    params:
        settings=control_settings,
        like=copied_architecture,
        code=script_code("publish_control"),
    script:
        "../scripts/publish_control.py"


rule write_card:
    """Write the model card of one encoder."""
    input:
        unpack(run_record),
        encoder="<results>/encoders/{encoder}/model.safetensors",
    output:
        card=ensure("<results>/encoders/{encoder}/README.md", non_empty=True),
    log:
        "<logs>/write_card/{encoder}.log",
    benchmark:
        "<benchmarks>/write_card/{encoder}.jsonl"
    localrule: True
    threads: 1
    resources:
        mem="2GB",
        runtime="10m",
    params:
        provenance=encoder_provenance,
        code=script_code("write_card"),
    script:
        "../scripts/write_card.py"


rule export_encoder:
    """Export one encoder to ONNX, normalisation inside."""
    input:
        encoder="<results>/encoders/{encoder}/model.safetensors",
        config="<results>/encoders/{encoder}/config.json",
    output:
        model=ensure("<results>/encoders/{encoder}/model.onnx", non_empty=True),
    log:
        "<logs>/export_encoder/{encoder}.log",
    benchmark:
        "<benchmarks>/export_encoder/{encoder}.jsonl"
    wildcard_constraints:
        encoder=one_of(networks()),
    threads: 1
    resources:
        mem=growing(8, "GB"),
        runtime="15m",
    params:
        code=script_code("export_encoder"),
    script:
        "../scripts/export_encoder.py"


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
    """Draw validation images as a model saw them, and what it made of the rest."""
    input:
        weights="<results>/runs/{run}/model.safetensors",
        settings="<results>/runs/{run}/settings.json",
        indexes=run_indexes,
    output:
        # No item of the report by itself: the page shows it where the corpora's publishers allow that.
        figure=ensure("<results>/runs/{run}/reconstructions.png", non_empty=True),
    log:
        "<logs>/draw_reconstructions/{run}.log",
    benchmark:
        "<benchmarks>/draw_reconstructions/{run}.jsonl"
    threads: 2
    resources:
        mem=growing(8, "GB"),
        runtime="10m",
    params:
        confidential=confidential_run,
        code=script_code("draw_reconstructions"),
    script:
        "../scripts/draw_reconstructions.py"


rule pretrain:
    """Train every run, draw how it went, and publish the controls."""
    input:
        collect(
            "<results>/encoders/{encoder}/README.md",
            encoder=[*config["pretrain"], *config["controls"]],
        ),
        collect("<results>/runs/{run}/curves.svg", run=config["pretrain"]),
        collect("<results>/runs/{run}/reconstructions.png", run=config["pretrain"]),


rule export:
    """Export every network to ONNX, for programs that know no torch."""
    input:
        collect("<results>/encoders/{encoder}/model.onnx", encoder=networks()),

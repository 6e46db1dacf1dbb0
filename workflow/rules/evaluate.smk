rule extract_features:
    """Encode every image of a corpus once."""
    input:
        encoder="<results>/encoders/{encoder}/model.safetensors",
        config="<results>/encoders/{encoder}/config.json",
        index="<results>/shards/{corpus}/index.parquet",
    output:
        features=ensure(
            "<results>/features/{encoder}/{corpus}.safetensors", non_empty=True
        ),
    log:
        "<logs>/extract_features/{encoder}/{corpus}.log",
    benchmark:
        "<benchmarks>/extract_features/{encoder}/{corpus}.jsonl"
    threads: 2
    resources:
        nodes=1,
        gpu=1,
        mem=growing(16, "GB"),
        runtime=growing(4, "h"),
    params:
        settings=lookup(dpath="features", within=config),
        confidential=confidential_corpus,
        code=script_code("extract_features"),
    script:
        "../scripts/extract_features.py"


rule evaluate_benchmark:
    """Fit a probe on frozen features and score the test split, with intervals."""
    input:
        features=benchmark_features,
        index=benchmark_index,
        manifest=benchmark_manifest,
        audit=ancient("<results>/audit/leakage.json"),
    output:
        record=ensure(
            "<results>/evaluate/{benchmark}/{encoder}/{protocol}.json", non_empty=True
        ),
        scores="<results>/evaluate/{benchmark}/{encoder}/{protocol}.scores.safetensors",
    log:
        "<logs>/evaluate_benchmark/{benchmark}/{encoder}/{protocol}.log",
    benchmark:
        "<benchmarks>/evaluate_benchmark/{benchmark}/{encoder}/{protocol}.jsonl"
    threads: 1
    resources:
        mem=growing(8, "GB"),
        runtime=growing(1, "h"),
    params:
        settings=lookup(dpath="benchmarks/{benchmark}", within=config),
        probe=lookup(dpath="protocols/{protocol}/probe", within=config),
        bootstrap=lookup(dpath="bootstrap", within=config),
        confidential=confidential_benchmark,
        code=script_code("evaluate_benchmark"),
    script:
        "../scripts/evaluate_benchmark.py"


rule compare_encoders:
    """Subtract a control's metrics from an encoder's, on the same resampled patients."""
    input:
        record=compared_record,
        scores=compared_scores,
        control_record=control_record,
        control_scores=control_scores,
    output:
        record=ensure(
            "<results>/compare/{benchmark}/{encoder}/minus_{control}.json",
            non_empty=True,
        ),
    log:
        "<logs>/compare_encoders/{benchmark}/{encoder}/minus_{control}.log",
    benchmark:
        "<benchmarks>/compare_encoders/{benchmark}/{encoder}/minus_{control}.jsonl"
    wildcard_constraints:
        control="|".join([*config["controls"], *config["pretrain"]]),
    threads: 1
    resources:
        mem=growing(4, "GB"),
        runtime="30m",
    params:
        bootstrap=lookup(dpath="bootstrap", within=config),
        code=script_code("compare_encoders"),
    script:
        "../scripts/compare_encoders.py"


rule evaluate:
    """Score every encoder on every benchmark, and compare runs with controls."""
    input:
        metric_records(),
        comparison_records(),

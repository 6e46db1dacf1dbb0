rule write_shards:
    """Resize a corpus's images once and pack them into webdataset tars with an index."""
    input:
        inventory=image_inventory,
        manifest="<results>/manifests/{corpus}.parquet",
    output:
        index=ensure("<results>/shards/{corpus}/index.parquet", non_empty=True),
    log:
        "<logs>/write_shards/{corpus}.log",
    benchmark:
        "<benchmarks>/write_shards/{corpus}.jsonl"
    threads: 2
    resources:
        mem="8GB",
        runtime="12h",
    params:
        source=image_source,
        settings=lookup(dpath="corpora/{corpus}/shards", within=config),
        confidential=confidential_corpus,
        code=script_code("write_shards"),
    script:
        "../scripts/write_shards.py"


rule shards:
    """Write the shards of every corpus that has them."""
    input:
        collect("<results>/shards/{corpus}/index.parquet", corpus=sharded_corpora()),

rule fetch_corpus:
    """Bring a corpus's raw files into place, or generate them, and take their inventory."""
    output:
        inventory=ensure("<results>/inventory/{corpus}.parquet", non_empty=True),
    log:
        "<logs>/fetch_corpus/{corpus}.log",
    benchmark:
        "<benchmarks>/fetch_corpus/{corpus}.jsonl"
    threads: 1
    resources:
        mem="4GB",
        runtime="12h",
    params:
        source=lookup(dpath="corpora/{corpus}/source", within=config),
        layout=lookup(dpath="corpora/{corpus}/layout", within=config),
        settings=lookup(dpath="corpora/{corpus}/inventory", within=config),
        code=fetch_code,
    script:
        "../scripts/fetch_corpus.py"


rule sources:
    """Fetch every corpus and take its inventory."""
    input:
        collect("<results>/inventory/{corpus}.parquet", corpus=config["corpora"]),

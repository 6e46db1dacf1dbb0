rule fetch_corpus:
    """Download a corpus's raw files, or generate or find them, and take their inventory."""
    input:
        unpack(lender_inventories),
        # A reworded note is no reason to look at the files again; `releases` sees what is.
        registry=ancient(config["registry"]),
    output:
        inventory=ensure("<results>/inventory/{corpus}.parquet", non_empty=True),
    log:
        "<logs>/fetch_corpus/{corpus}.log",
    benchmark:
        "<benchmarks>/fetch_corpus/{corpus}.jsonl"
    threads: 1
    resources:
        connections=connections,
        mem=growing(4, "GB"),
        runtime="12h",
        origin=origin,
        advice=advice,
    params:
        source=own_source,
        lenders=lender_sources,
        layout=lookup(dpath="corpora/{corpus}/layout", within=config),
        settings=lookup(dpath="corpora/{corpus}/inventory", within=config),
        releases=releases,
        confidential=confidential_corpus,
        code=fetch_code,
    message:
        "Corpus {wildcards.corpus}: {resources.origin}"
    script:
        "../scripts/fetch_corpus.py"


rule sources:
    """Fetch every corpus and take its inventory."""
    input:
        collect("<results>/inventory/{corpus}.parquet", corpus=config["corpora"]),

rule build_manifest:
    """Turn a publisher's tables into one typed row per image, split by patient."""
    input:
        unpack(lender_inventories),
        inventory="<results>/inventory/{corpus}.parquet",
        others=excluding_manifests,
    output:
        manifest=ensure("<results>/manifests/{corpus}.parquet", non_empty=True),
    log:
        "<logs>/build_manifest/{corpus}.log",
    benchmark:
        "<benchmarks>/build_manifest/{corpus}.jsonl"
    threads: 1
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        source=own_source,
        lenders=lender_sources,
        layout=lookup(dpath="corpora/{corpus}/layout", within=config),
        splits=lookup(dpath="corpora/{corpus}/splits", within=config),
        confidential=confidential_corpus,
        code=manifest_code,
    script:
        "../scripts/build_manifest.py"


rule audit_leakage:
    """Fail the build where anything that is tested on was trained on."""
    input:
        manifests=collect(
            "<results>/manifests/{corpus}.parquet", corpus=audited_corpora()
        ),
        indexes=collect(
            "<results>/shards/{corpus}/index.parquet", corpus=audited_corpora()
        ),
    output:
        audit=report(
            ensure("<results>/audit/leakage.json", non_empty=True),
            caption="../report/leakage.rst",
            category="Data",
            labels={"item": "leakage audit"},
        ),
    log:
        "<logs>/audit_leakage.log",
    benchmark:
        "<benchmarks>/audit_leakage.jsonl"
    threads: 1
    resources:
        mem=growing(8, "GB"),
        runtime=growing(1, "h"),
    params:
        pairs=audited_pairs(),
        settings=lookup(dpath="audit", within=config),
        confidential=confidential(audited_corpora()),
        code=script_code("audit_leakage"),
    script:
        "../scripts/audit_leakage.py"


rule audit:
    """Compare everything that is trained on with everything that is tested on."""
    input:
        rules.audit_leakage.output.audit,


rule manifests:
    """Build every manifest."""
    input:
        collect("<results>/manifests/{corpus}.parquet", corpus=config["corpora"]),

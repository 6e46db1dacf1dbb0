rule write_shards:
    """Resize a part of a corpus's images once and pack them, with what belongs to them, into webdataset tars."""
    input:
        unpack(of_images(lender_inventories)),
        inventory="<results>/inventory/{corpus}.parquet",
        manifest="<results>/manifests/{corpus}.parquet",
    output:
        # The tars stand beside the index, two folders up, undeclared: each is published whole.
        table=ensure(
            "<results>/shards/{corpus}/parts/{part}-of-{parts}.parquet", non_empty=True
        ),
    log:
        "<logs>/write_shards/{corpus}/{part}-of-{parts}.log",
    benchmark:
        "<benchmarks>/write_shards/{corpus}/{part}-of-{parts}.jsonl"
    wildcard_constraints:
        part="[0-9]+",
        parts="[0-9]+",
    threads: 4
    resources:
        mem=growing(8, "GB"),
        runtime=growing(4, "h"),
    params:
        source=own_source,
        lenders=of_images(lender_sources),
        settings=shard_settings,
        fixations=fixations,
        confidential=confidential_corpus,
        code=script_code("write_shards"),
    script:
        "../scripts/write_shards.py"


rule index_shards:
    """Merge the parts of a corpus's shards into one index, once every image is in one of them."""
    input:
        parts=shard_parts,
        manifest="<results>/manifests/{corpus}.parquet",
    output:
        index=ensure("<results>/shards/{corpus}/index.parquet", non_empty=True),
    log:
        "<logs>/index_shards/{corpus}.log",
    benchmark:
        "<benchmarks>/index_shards/{corpus}.jsonl"
    threads: 1
    resources:
        mem=growing(4, "GB"),
        runtime=growing(1, "h"),
    params:
        confidential=confidential_corpus,
        code=script_code("index_shards"),
    script:
        "../scripts/index_shards.py"


rule shards:
    """Write the shards of every corpus that has them."""
    input:
        collect("<results>/shards/{corpus}/index.parquet", corpus=sharded_corpora()),

rule collect_leaderboard:
    """Collect every metric record into one table, one row per number."""
    input:
        records=metric_records(),
    output:
        leaderboard=report(
            ensure("<results>/report/leaderboard.csv", non_empty=True),
            caption="../report/leaderboard.rst",
            category="Leaderboard",
            labels={"item": "table"},
        ),
    log:
        "<logs>/collect_leaderboard.log",
    benchmark:
        "<benchmarks>/collect_leaderboard.jsonl"
    localrule: True
    threads: 1
    resources:
        mem="2GB",
        runtime="10m",
    params:
        controls=control_kinds(),
        code=script_code("collect_leaderboard"),
    script:
        "../scripts/collect_leaderboard.py"


rule render_page:
    """Render the self-contained report page, on which every number leads back to its record."""
    input:
        records=metric_records(),
        comparisons=comparison_records(),
        curves=collect("<results>/runs/{run}/curves.svg", run=config["pretrain"]),
        reconstructions=collect(
            "<results>/runs/{run}/reconstructions.png", run=runs_to_show()
        ),
        audit="<results>/audit/leakage.json",
    output:
        page=report(
            ensure("<results>/report/index.html", non_empty=True),
            caption="../report/page.rst",
            category="Leaderboard",
            labels={"item": "report page"},
        ),
    log:
        "<logs>/render_page.log",
    benchmark:
        "<benchmarks>/render_page.jsonl"
    localrule: True
    threads: 1
    resources:
        mem="2GB",
        runtime="10m",
    params:
        settings=lookup(dpath="report", within=config),
        methods=methods_to_show(),
        controls=control_kinds(),
        unaudited=[
            name
            for name, control in config["controls"].items()
            if control["kind"] == "foreign" and not control["trained_on"]
        ],
        template=file_digest(PAGE_TEMPLATE),
        code=script_code("render_page"),
    script:
        "../scripts/render_page.py"


rule report:
    """Build the leaderboard and the report page."""
    input:
        rules.collect_leaderboard.output.leaderboard,
        rules.render_page.output.page,

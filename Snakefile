from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


pathvars:
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


container: "containers/pipeline.sif"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/common_corpora.smk"
include: "workflow/rules/common_evaluation.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/manifests.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


wildcard_constraints:
    corpus="[a-z0-9_]+",
    encoder="[a-z0-9_]+",
    benchmark="[a-z0-9_]+",
    protocol="[a-z0-9_]+",


rule all:
    """Build everything the configuration describes: the report and all it stands on."""
    default_target: True
    input:
        rules.sources.input,
        rules.manifests.input,
        rules.shards.input,
        rules.audit.input,
        rules.pretrain.input,
        rules.evaluate.input,
        rules.report.input,

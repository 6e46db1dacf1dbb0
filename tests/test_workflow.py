"""The workflow as a user meets it: it builds, a second run does nothing, an edit reruns what it changes."""

import copy
import csv
import json
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY
from workflow_copy import SMALL, WorkflowCopy

from pipeline.records.metrics import read_metric_record

pytestmark = pytest.mark.slow

PROBED = {"evaluate_benchmark": 6, "compare_encoders": 4, "collect_leaderboard": 1, "render_page": 1}
TARGETS = ("sources", "manifests", "shards", "audit", "pretrain", "evaluate", "report", "all")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> WorkflowCopy:
    """Return a copy of the repository in which `all` has been built."""
    built = WorkflowCopy.of_repository(tmp_path_factory.mktemp("finished"), SMALL)
    built.build()
    return built


@pytest.fixture
def edited(finished: WorkflowCopy, tmp_path: Path) -> WorkflowCopy:
    """Return a duplicate of the finished copy, to edit."""
    return finished.duplicate(tmp_path)


def changed(**places: Any) -> dict[str, Any]:
    """Return the small configuration with values replaced; a double underscore stands for a dot."""
    config = copy.deepcopy(SMALL)
    for place, value in places.items():
        *parts, last = place.split("__")
        block = config
        for part in parts:
            block = block[part]
        block[last] = value
    return config


def test_a_second_run_does_nothing(finished: WorkflowCopy) -> None:
    assert finished.stale() == {}


def test_the_leaderboard_has_every_number_beside_its_controls(finished: WorkflowCopy) -> None:
    with (finished.folder / "results/report/leaderboard.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    header = "benchmark,encoder,protocol,fraction,seed,metric,value,low,high,n,n_patients,quarantined,record,control"
    assert ",".join(rows[0]) == header
    for benchmark in SMALL["benchmarks"]:
        assert {row["encoder"] for row in rows if row["benchmark"] == benchmark} == {"small", "random", "pixels"}
    for row in rows:
        assert 0 <= float(row["low"]) <= float(row["high"]) <= 1
        record = read_metric_record(finished.folder / "results" / row["record"])
        assert repr(next(v.value for v in record.values if v.target == "macro" and v.metric == "auroc")) in [
            other["value"] for other in rows if other["record"] == row["record"]
        ]


def test_a_number_leads_back_to_manifest_checkpoint_and_settings(finished: WorkflowCopy) -> None:
    results = finished.folder / "results"
    record = read_metric_record(results / "evaluate/view/small/linear_probe.json")
    run = json.loads((results / "runs/small/run.json").read_text())
    assert record.digests.encoder == run["encoder"]
    digests = {
        "manifest": results / "manifests/small_chexpert.parquet",
        "features": results / "features/small/small_chexpert.safetensors",
        "encoder": results / "encoders/small/model.safetensors",
    }
    for name, path in digests.items():
        printed = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout
        assert getattr(record.digests, name) == printed.split()[0]
    assert len(list((results / "runs/small/state").glob("*/*.pt"))) == 1


def test_changing_one_benchmark_reruns_its_records_and_the_report_only(edited: WorkflowCopy) -> None:
    edited.configure(changed(benchmarks__view__views=["AP", "PA", "LATERAL"]))
    assert edited.stale() == {
        "evaluate_benchmark": 3,
        "compare_encoders": 2,
        "collect_leaderboard": 1,
        "render_page": 1,
    }


def test_one_stale_benchmark_is_rerun_by_naming_its_record(edited: WorkflowCopy) -> None:
    edited.configure(changed(benchmarks__view__seed=7, benchmarks__sex__seed=7))
    assert edited.stale("results/evaluate/view/small/linear_probe.json") == {"evaluate_benchmark": 1}


def test_a_comparison_is_made_under_a_protocol_that_both_encoders_share(edited: WorkflowCopy) -> None:
    ridge, linear = SMALL["protocols"]["ridge"], SMALL["protocols"]["linear_probe"]
    protocols = {"ridge": ridge | {"encoders": ["pixels", "random"]}, "linear_probe": linear}
    edited.configure(changed(protocols=protocols))
    record = "results/compare/view/small/minus_random.json"
    planned = edited.run("--profile", "profiles/local", "--dry-run", "--forcerun", "compare_encoders", "--", record)
    assert "results/evaluate/view/random/linear_probe.json" in planned
    assert "results/evaluate/view/random/ridge.json" not in planned


def test_a_run_starts_from_another_and_is_compared_with_it(edited: WorkflowCopy) -> None:
    second = SMALL["pretrain"]["small"] | {"initial": "small"}
    linear = SMALL["protocols"]["linear_probe"] | {"encoders": ["small", "second", "random"]}
    edited.configure(
        changed(pretrain__second=second, comparisons={"second": ["small"]}, protocols__linear_probe=linear)
    )
    edited.build("results/encoders/second/README.md", "results/compare/view/second/minus_small.json")
    started, first = (edited.folder / f"results/runs/{run}/run.json" for run in ("second", "small"))
    assert json.loads(started.read_text())["inputs"]["initial encoder"] == json.loads(first.read_text())["encoder"]
    compared = read_metric_record(edited.folder / "results/compare/view/second/minus_small.json")
    assert (compared.encoder, compared.control) == ("second", "small")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("src/pipeline/training/loop.py", "import torch\n", "# a comment\nimport torch\n"),
        (
            "src/pipeline/tasks/masked_autoencoding.py",
            "Return the training loss of a batch",
            "Give the loss of a batch",
        ),
        ("src/pipeline/settings/training.py", "Images per step, over all devices.", "Global batch."),
        ("workflow/scripts/pretrain_encoder.py", "Hand rule", "Give rule"),
        ("src/pipeline/records/progress.py", "LINE_SECONDS = 30.0", "LINE_SECONDS = 60.0"),
        ("src/pipeline/training/slurm.py", "_SIGNAL_SECONDS = 180.0", "_SIGNAL_SECONDS = 240.0"),
        ("profiles/local/config.yaml", 'mem="2GB"', 'mem="3GB"'),
        ("workflow/rules/pretrain.smk", 'runtime="1d"', 'runtime="3d"'),
        ("workflow/rules/pretrain.smk", 'growing(16, "GB")', 'growing(64, "GB")'),
        ("workflow/rules/evaluate.smk", "threads: 1", "threads: 2"),
    ],
)
def test_edits_that_change_no_result_rerun_nothing(edited: WorkflowCopy, path: str, old: str, new: str) -> None:
    edited.edit(path, old, new)
    assert edited.stale() == {}


def test_writing_the_shards_in_other_parts_trains_nothing_again(edited: WorkflowCopy) -> None:
    edited.configure(changed(corpora__small_chexpert__shards__parts=3))
    assert edited.stale("shards") == {"write_shards": 3, "index_shards": 1}
    edited.build("shards")
    assert edited.stale() == {}


@pytest.mark.parametrize(("setting", "value"), [("jpeg_quality", 80), ("decoding", "fast"), ("samples_per_shard", 7)])
def test_another_form_of_the_shards_makes_them_and_what_follows_stale(
    edited: WorkflowCopy, setting: str, value: object
) -> None:
    edited.configure(changed(**{f"corpora__small_chexpert__shards__{setting}": value}))
    stale = edited.stale()
    assert (stale["write_shards"], stale["index_shards"], stale["pretrain_encoder"]) == (2, 1, 1)
    assert not {"fetch_corpus", "build_manifest"} & set(stale)


def test_editing_the_probe_reruns_probes_and_report_but_no_training(edited: WorkflowCopy) -> None:
    edited.edit("src/pipeline/evaluation/probe.py", "import numpy as np\n", "import numpy as np\n\nEDITED = True\n")
    assert edited.stale() == PROBED


def test_editing_the_loss_reruns_training_and_what_follows(edited: WorkflowCopy) -> None:
    edited.edit("src/pipeline/tasks/masked_autoencoding.py", ".square().mean()", ".abs().mean()")
    stale = edited.stale()
    assert stale["pretrain_encoder"] == 1
    assert not {"fetch_corpus", "build_manifest", "write_shards", "index_shards", "publish_control"} & set(stale)


def test_rewording_the_model_card_trains_nothing(edited: WorkflowCopy) -> None:
    edited.edit("src/pipeline/reporting/model_card.py", "Research use only", "For research only")
    assert edited.stale() == {"write_card": 3}


def test_editing_an_adapter_makes_only_its_corpora_stale(edited: WorkflowCopy) -> None:
    edited.edit(
        "src/pipeline/sources/adapters/nih_cxr14.py", 'NO_FINDING = "No Finding"', 'NO_FINDING = "Nothing found"'
    )
    assert edited.stale() == {}
    edited.edit("src/pipeline/sources/adapters/chexpert.py", '"Male": "M"', '"Male": "M", "Man": "M"')
    assert edited.stale()["build_manifest"] == 1


def test_the_report_holds_every_figure_under_its_category(finished: WorkflowCopy, tmp_path: Path) -> None:
    finished.run("--profile", "profiles/local", "--report", str(tmp_path / "report.zip"), "all")
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        names = archive.namelist()
        page = archive.read(next(name for name in names if name.endswith("report.html"))).decode()
    for item in ("curves.svg", "leaderboard.csv", "index.html", "leakage.json"):
        assert item in page
    for category in ("Pretraining", "Leaderboard", "Data"):
        assert f'"{category}"' in page


def test_the_open_configuration_turns_real_x_rays_into_manifests_and_shards(tmp_path: Path, real_data: Path) -> None:
    workflow = WorkflowCopy.of_repository(tmp_path)
    open_data = ("--configfile", "config/open.yaml", "--config", f"open_data={real_data}")
    workflow.build("shards", "manifests", "audit", *open_data)
    results = tmp_path / "results" / "open"
    nih = pl.read_parquet(results / "manifests" / "nih_cxr14.parquet")
    assert nih.height == 112_120
    assert (nih["split"] == "test").sum() == 25_596
    assert nih.group_by("patient").agg(pl.col("split").n_unique())["split"].max() == 1
    assert json.loads((results / "audit" / "leakage.json").read_text())["clean"] is True
    sizes = {
        corpus: pq.read_metadata(results / "shards" / corpus / "index.parquet").num_rows
        for corpus in ("nih_cxr14", "kermany", "hannover")
    }
    assert sizes == {"nih_cxr14": 1_000, "kermany": 420, "hannover": 243}


def test_every_rule_says_what_it_does() -> None:
    shown = _snakemake("--list-rules")
    described = dict(re.findall(r"^(\w+) \((.+)\)$", shown, re.MULTILINE))
    assert set(TARGETS) <= set(described)
    rules = [*(REPOSITORY / "workflow" / "rules").glob("*.smk"), REPOSITORY / "Snakefile"]
    assert set(described) == {
        name for path in rules for name in re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE)
    }


def test_a_fresh_clone_plans_for_slurm_as_typed_and_within_five_seconds(tmp_path: Path) -> None:
    fresh = WorkflowCopy.of_repository(tmp_path)
    started = time.monotonic()
    shown = fresh.run("--profile", "slurm", "--configfile", "config/config.yaml", "-n", "all")
    assert time.monotonic() - started <= 5 * 2  # the test machine runs another test beside this one
    assert re.search(r"^pretrain_encoder +3$", shown, re.MULTILINE)


def test_the_picture_of_the_dag_is_that_of_the_rules() -> None:
    targets = ("results/report/index.html", "results/report/leaderboard.csv")
    drawn = _snakemake("--profile", "profiles/local", "--rulegraph", "dot", *targets)
    shipped = (REPOSITORY / "docs" / "rulegraph.dot").read_text()
    assert _edges(shipped) == _edges(drawn), "run `make docs`"


def _edges(graph: str) -> set[tuple[str, str]]:
    """Return the edges of a graph in the dot language by the labels of their nodes; the numbering is arbitrary."""
    labels = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
    return {(labels[start], labels[end]) for start, end in re.findall(r"(\d+) -> (\d+)", graph)}


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_the_workflow_lints_through_both_doors(snakefile: str) -> None:
    assert "Congratulations" in _snakemake("--snakefile", snakefile, "--lint")


def test_a_wrong_key_in_the_configuration_is_one_sentence(tmp_path: Path) -> None:
    workflow = WorkflowCopy.of_repository(tmp_path, changed(pretrain__small__mask_ratio=0.5))
    process = workflow.start("--profile", "profiles/local", "--dry-run")
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "unknown key 'pretrain.small.mask_ratio'" in output
    assert "Traceback" not in output


def _snakemake(*arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr

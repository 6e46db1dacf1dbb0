"""The workflow on a real SLURM cluster: every rule as a job, and training through all that happens to jobs there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.disturbed_training import Training
from cluster.private_slurm import PrivateSlurm, Try, private_slurm
from conftest import TINY_ENCODER, TINY_TASK
from workflow_copy import WorkflowCopy

from pipeline.records.digests import file_digest

pytestmark = pytest.mark.slow

RUN: dict[str, Any] = {
    "task": TINY_TASK,
    "encoder": TINY_ENCODER,
    "corpora": ["small"],
    "optimization": {"steps": 600, "batch_size": 16, "base_learning_rate": 0.01},
    "log_every": 50,
}
CONFIG: dict[str, Any] = {
    "corpora": {
        "small": {
            "source": {"kind": "phantom", "patients": 60, "image_size": 40, "test_fraction": 0.4},
            "layout": {"format": "chexpert"},
            "splits": {"scheme": "official", "val_fraction": 0.4},
            "shards": {"image_size": 32},
        },
    },
    "pretrain": {"undisturbed": RUN},
    "controls": {"random": {"kind": "random", "like": "undisturbed"}},
    "protocols": {"ridge": {"probe": {"kind": "ridge"}, "encoders": ["undisturbed", "random"]}},
    "benchmarks": {
        "sex": {
            "corpus": "small",
            "target": {"kind": "attribute", "column": "sex", "positive": "M", "negative": "F"},
        },
    },
    "bootstrap": {"resamples": 100},
}
DISTURBED = ("preempted", "requeued", "node_lost", "killed", "out_of_time")
SHORT = RUN | {"optimization": RUN["optimization"] | {"steps": 30}, "log_every": 1}
SHAPES = ("one_node", "two_nodes")

CLUSTER = """\
default-resources:
  - slurm_partition="cpu"
  - slurm_account="lab"
  - mem="1GB"
  - runtime="10m"
  - disk="1GB"
set-resources:
  pretrain_encoder:
    slurm_partition: '"spare" if wildcards.run == "preempted" else "gpu"'
    constraint: '"first|second" if wildcards.run in ("node_lost", "two_nodes") else "first"'
    nodes: '2 if wildcards.run == "two_nodes" else 1'
    tasks: '2 if wildcards.run == "two_nodes" else 0'
    gpu: '0 if wildcards.run in ("one_node", "two_nodes") else 1'
    runtime: '"10m"'
    mem: '"1GB"'
    checkpoint_minutes: 0
  extract_features:
    slurm_partition: '"gpu"'
    mem: '"1GB"'
set-threads:
  pretrain_encoder: 1
slurm-init-seconds-before-status-checks: 11
"""
"""What a user with this cluster writes between the marks of the profile."""


@pytest.fixture(scope="module")
def slurm() -> Iterator[PrivateSlurm]:
    """Return a cluster of two nodes, the first with a GPU for each run; whatever runs `sbatch` meanwhile is on it."""
    with private_slurm(gpus=(5, 1)) as cluster, pytest.MonkeyPatch.context() as environment:
        for name, value in cluster.environment.items():
            environment.setenv(name, value)
        yield cluster


@pytest.fixture(scope="module")
def finished(slurm: PrivateSlurm, tmp_path_factory: pytest.TempPathFactory) -> WorkflowCopy:
    """Return a fresh copy in which `snakemake --profile slurm all` has run, after an edit of the marked lines."""
    workflow = WorkflowCopy.of_repository(tmp_path_factory.mktemp("finished"), CONFIG)
    profile = workflow.folder / "profiles/slurm/config.yaml"
    edited, blocks = re.subn(
        r"(?s)(# ---- Your cluster[^\n]*\n).*?(# -{80,}\n)", rf"\1{CLUSTER}\2", profile.read_text()
    )
    assert blocks == 1
    profile.write_text(edited)
    workflow.run("--profile", "slurm", "all")
    return workflow


@pytest.fixture(scope="module")
def disturbed(slurm: PrivateSlurm, finished: WorkflowCopy) -> WorkflowCopy:
    """Return the copy with more runs: five of the same recipe that something happened to, two of different shape."""
    runs = dict.fromkeys(("undisturbed", *DISTURBED), RUN) | dict.fromkeys(SHAPES, SHORT)
    finished.configure(CONFIG | {"pretrain": runs})
    encoders = [str(_encoder(Path(), run)) for run in (*SHAPES, *DISTURBED)]
    snakemake = finished.start("--profile", "slurm", "--", *encoders)
    training = Training(slurm, finished, snakemake, on_all_nodes="two_nodes")
    try:
        training.disturb()
        training.see_to_its_end()
    finally:
        snakemake.kill()
        output, _ = snakemake.communicate()
    assert snakemake.returncode == 0, output
    return finished


def test_every_rule_runs_as_a_job_of_its_own(slurm: PrivateSlurm, finished: WorkflowCopy) -> None:
    local = {"write_card", "collect_leaderboard", "render_page"}
    targets = {"all", "sources", "manifests", "shards", "audit", "pretrain", "evaluate", "report", "export"}
    not_asked_for = {"export_encoder", "fetch_checkpoint"}
    listed = set(re.findall(r"^(\w+)", finished.run("--list-rules"), re.MULTILINE))
    rules = listed - local - targets - not_asked_for
    tries = [one for one in slurm.tries() if not one.comment.endswith((*DISTURBED, *SHAPES))]
    assert {one.state for one in tries} == {"COMPLETED"}
    ran = {next(rule for rule in rules if one.comment.startswith(f"rule_{rule}")) for one in tries}
    assert ran == rules
    assert (finished.folder / "results/report/index.html").stat().st_size
    assert list((finished.folder / "results/logs/slurm").glob("efficiency_report_*.csv"))


@pytest.mark.parametrize(
    ("run", "ends"),
    [
        ("preempted", [["PREEMPTED", "COMPLETED"]]),
        ("requeued", [["REQUEUED", "COMPLETED"]]),
        ("node_lost", [["NODE_FAIL", "COMPLETED"]]),
        ("out_of_time", [["REQUEUED", "COMPLETED"]]),
        # Its number changes: Snakemake submits it again, since it counts as failed.
        ("killed", [["FAILED"], ["COMPLETED"]]),
    ],
)
def test_a_disturbed_run_ends_with_the_weights_of_an_undisturbed_one(
    slurm: PrivateSlurm, disturbed: WorkflowCopy, run: str, ends: list[list[str]]
) -> None:
    tries = [one for one in slurm.tries() if one.comment.endswith(f"_{run}")]
    assert _states_by_job(tries) == ends
    first, second = _starts(disturbed.folder, run)
    assert first == 0 < second
    for artifact in (_encoder, _weights):
        assert file_digest(artifact(disturbed.folder, run)) == file_digest(artifact(disturbed.folder, "undisturbed"))


def test_two_nodes_train_along_the_trajectory_of_one(disturbed: WorkflowCopy) -> None:
    one, two = (_events(disturbed.folder, run) for run in SHAPES)
    assert [next(event["world"] for event in events if event["event"] == "start") for events in (one, two)] == [1, 2]
    losses = [[event["loss"] for event in events if event["event"] == "step"] for events in (one, two)]
    assert len(losses[0]) == 30
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


def _encoder(folder: Path, run: str) -> Path:
    return folder / "results/encoders" / run / "model.safetensors"


def _weights(folder: Path, run: str) -> Path:
    return folder / "results/runs" / run / "model.safetensors"


def _events(folder: Path, run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results/runs" / run / "history.jsonl").read_text().splitlines()]


def _starts(folder: Path, run: str) -> list[int]:
    """Return after how many steps each life of a run began."""
    return [event["step"] for event in _events(folder, run) if event["event"] == "start"]


def _states_by_job(tries: list[Try]) -> list[list[str]]:
    """Return how each try of each job ended, the oldest first."""
    jobs = dict.fromkeys(one.job for one in tries)
    return [[one.state for one in tries if one.job == job] for job in jobs]

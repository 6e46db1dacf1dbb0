"""A training job that is killed, and the same command again: the same weights."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
from workflow_copy import SMALL, WorkflowCopy

from pipeline.records.digests import file_digest

pytestmark = pytest.mark.slow

ENCODER = "results/encoders/small/model.safetensors"


def test_killing_the_training_job_changes_no_byte_of_the_weights(tmp_path: Path) -> None:
    undisturbed = WorkflowCopy.of_repository(tmp_path / "undisturbed", SMALL)
    undisturbed.build("shards", "manifests")
    killed = undisturbed.duplicate(tmp_path / "killed")
    undisturbed.build("--", ENCODER)
    kill_training_after_a_save(killed)
    assert not (killed.folder / ENCODER).exists()
    killed.build("--", ENCODER)
    lines = (killed.folder / "results/runs/small/history.jsonl").read_text().splitlines()
    starts = [event["step"] for event in map(json.loads, lines) if event["event"] == "start"]
    assert len(starts) == 2
    assert starts[0] == 0 < starts[1]
    assert file_digest(killed.folder / ENCODER) == file_digest(undisturbed.folder / ENCODER)


def kill_training_after_a_save(workflow: WorkflowCopy) -> None:
    """Start the training and kill its process with SIGKILL once a state of its later steps has been saved."""
    often = ("--set-resources", "pretrain_encoder:checkpoint_minutes=0")
    snakemake = workflow.start("--profile", "profiles/local", "--cores", "2", *often, "--", ENCODER)
    states = workflow.folder / "results/runs/small/state"
    while not list(states.glob("*/step-*[1-9]*.json")):
        assert snakemake.poll() is None, snakemake.communicate()[0]
    for process in psutil.Process(snakemake.pid).children(recursive=True):
        if "pretrain_encoder" in " ".join(process.cmdline()):
            os.kill(process.pid, signal.SIGKILL)
    output, _ = snakemake.communicate()
    assert snakemake.returncode != 0, output

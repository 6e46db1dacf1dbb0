"""A training job that is killed, and the same command again: the same weights."""

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
    history = (killed.folder / "results/runs/small/history.jsonl").read_text()
    assert history.count('"event": "start"') == 2
    assert '{"event": "start", "step": 0}' in history.splitlines()[0]
    assert file_digest(killed.folder / ENCODER) == file_digest(undisturbed.folder / ENCODER)


def kill_training_after_a_save(workflow: WorkflowCopy) -> None:
    """Start the training and kill its process with SIGKILL once a state has been saved."""
    snakemake = workflow.start("--profile", "profiles/local", "--cores", "2", "--", ENCODER)
    states = workflow.folder / "results/runs/small/state"
    while not list(states.glob("*/step-*.json")):
        assert snakemake.poll() is None, snakemake.communicate()[0]
    for process in psutil.Process(snakemake.pid).children(recursive=True):
        if "pretrain_encoder" in " ".join(process.cmdline()):
            os.kill(process.pid, signal.SIGKILL)
    output, _ = snakemake.communicate()
    assert snakemake.returncode != 0, output

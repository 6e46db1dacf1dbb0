"""Stage of rule pretrain_encoder: train one run, from wherever it was stopped, and publish it."""

import sys
import uuid

from pipeline.records.publish import publish_text
from pipeline.stages import train_encoder
from pipeline.stages.training_run import Run
from pipeline.training.group import ALONE
from pipeline.training.launch import launch, processes_per_node
from pipeline.training.lease import leased_gpus


def pretrain_encoder(run: Run) -> None:
    """Train a run to its last step and publish encoder, full weights, settings, history and record.

    A run that was killed continues from its last state, provided that settings, data and code are
    still the same; the result has the same bytes as that of an undisturbed run (CPU, equal threads,
    equal number of processes). One process trains here; where the job has several devices or nodes,
    one process for each is started.

    Raises:
        UserError: There is no image to train on, a shard is damaged, the loss is no number, a device
            or disk is full, another process trains this run, or the job was told to stop: the state is
            then saved.
    """
    with leased_gpus(run.hardware.gpus):
        if run.hardware.nodes * processes_per_node(run.hardware) == 1:
            train_encoder.train_encoder(run, ALONE)
        else:
            _train_in_processes(run)


def _train_in_processes(run: Run) -> None:
    """Start the run's processes and wait for them; they are handed it in a file that no other try's processes read."""
    job = run.state_folder / f"job-{uuid.uuid4().hex}.json"
    try:
        publish_text(job, run.model_dump_json())
        launch([sys.executable, "-m", train_encoder.__name__, str(job)], run.hardware)
    finally:
        job.unlink(missing_ok=True)

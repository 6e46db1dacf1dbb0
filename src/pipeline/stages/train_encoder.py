"""One process's part in the training of a run; `python -m pipeline.stages.train_encoder JOB` is one of several."""

import logging
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from pipeline.models.initial import start_from
from pipeline.records.events import EventLog
from pipeline.records.logs import rule_log
from pipeline.records.runs import BatchRecord
from pipeline.records.versions import TRAINING_PACKAGES, package_versions
from pipeline.shards.jpeg import DECODER
from pipeline.stages.run_data import RunSamples, batches_of, opened_samples, own_quarantine, whole_quarantine
from pipeline.stages.run_publication import HISTORY, Outcome, publish_run
from pipeline.stages.training_run import Run, fingerprint, recipe_of
from pipeline.tasks.methods import build_task
from pipeline.tasks.pretraining import PretrainingTask
from pipeline.training.batching import BatchPlan, plan_batch
from pipeline.training.device import describe_device, prepare_device
from pipeline.training.group import Group, joined
from pipeline.training.launch import processes_per_node
from pipeline.training.loop import Surroundings, Trainer
from pipeline.training.slurm import find_deadline, hand_back
from pipeline.training.state import StateFolder
from pipeline.training.stopping import Interruptions, RunInterrupted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Place:
    """Say where a process stands among those of its run."""

    group: Group
    plan: BatchPlan
    device: torch.device
    states: StateFolder


def train_encoder(run: Run, group: Group) -> None:
    """Train a run as one process of a group; the first of them saves its state and publishes it.

    Raises as `pretrain_encoder` does.
    """
    started = monotonic()
    inputs = run.input_digests()
    place = _place(run, group, inputs)
    with place.states.owned() if group.is_first else nullcontext():
        (continues,) = group.any(place.states.has_any())
        task = _beginning(run).to(place.device)
        with opened_samples(run, own_quarantine(run, place.states.folder, group, continues)) as samples:
            log.info("run %s: images %s", run.name, samples.images)
            steps, origin = _train(run, place, task, samples, started)
        if group.is_first:
            outcome = Outcome(
                inputs=inputs,
                images=samples.images,
                quarantine=whole_quarantine(run, place.states.folder),
                steps=steps,
                origin=origin,
            )
            publish_run(run, task, outcome, place.states.folder / HISTORY)
            place.states.retire()


def _beginning(run: Run) -> PretrainingTask:
    """Return the run's task as it is before the first step."""
    task = build_task(run.settings)
    if run.initial is not None:
        start_from(task.encoder, run.settings.encoder, run.initial)
    return task


def _place(run: Run, group: Group, inputs: dict[str, str]) -> _Place:
    recipe = recipe_of(run, inputs)
    threads = max(1, run.hardware.threads // processes_per_node(run.hardware))
    return _Place(
        group=group,
        plan=plan_batch(run.settings.optimization.batch_size, group.world, run.hardware.device_batch),
        device=prepare_device(threads, group.local_rank),
        states=StateFolder(run.state_folder, fingerprint(recipe), recipe),
    )


def _train(
    run: Run, place: _Place, task: PretrainingTask, samples: RunSamples, started: float
) -> tuple[int, Mapping[str, Any]]:
    """Train to the end and return the steps taken and where the last was, or end this try once its state is saved."""
    # One process watches the clock for all, so that SLURM is asked once.
    deadline = find_deadline(run.hardware, started) if place.group.is_first else None
    with Interruptions(deadline) as interruptions:
        trainer = Trainer(
            task,
            batches_of(run, samples, task.companions, place.plan, place.group, place.device),
            run.settings,
            Surroundings(
                states=place.states,
                history=EventLog(place.states.folder / HISTORY) if place.group.is_first else None,
                interruptions=interruptions,
                plan=place.plan,
                group=place.group,
                checkpoint_seconds=60 * run.hardware.checkpoint_minutes,
                origin=_origin(run, place),
            ),
        )
        try:
            steps = trainer.run()
        except RunInterrupted as interrupted:
            hand_back(interrupted, place.group.is_first, trainer.did_steps)
    if not trainer.did_steps:
        log.info(
            "run %s was over after step %d and is published from its last state; delete %s to train it anew",
            run.name,
            steps,
            place.states.folder,
        )
    return steps, trainer.origin


def _origin(run: Run, place: _Place) -> dict[str, Any]:
    """Return what this life of a run computes with, as plain JSON data that its states keep."""
    batch = BatchRecord(
        images=place.plan.batch_size,
        device_batch=place.plan.device_batch,
        accumulation=place.plan.accumulation,
        processes=place.plan.world,
    )
    return {
        "batch": batch.model_dump(),
        "device": describe_device(place.device),
        "decoder": DECODER,
        "threads": run.hardware.threads,
        "versions": package_versions(TRAINING_PACKAGES),
    }


def _main(job: Path) -> None:
    """Train as one of several processes, which a launcher started with the run as JSON."""
    run = Run.model_validate_json(job.read_bytes())
    with rule_log(str(run.log), run.confidential, begins=False) as logger, joined() as group:
        logger.setLevel(logging.INFO if group.is_first else logging.WARNING)
        train_encoder(run, group)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

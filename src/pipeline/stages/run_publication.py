"""What a finished run leaves: encoder and full weights, settings, record, history, and the damaged samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch

from pipeline.batches.quarantine import Quarantine
from pipeline.models.encoder_folder import WEIGHTS, save_encoder
from pipeline.records.digests import file_digest, settings_digest
from pipeline.records.publish import clear_scratch, publish_bytes, publish_json, publish_text
from pipeline.records.runs import RunRecord
from pipeline.stages.training_run import Run
from pipeline.tasks.pretraining import PretrainingTask

FULL_WEIGHTS = "model.safetensors"
RESOLVED_SETTINGS = "settings.json"
HISTORY = "history.jsonl"
RUN_RECORD = "run.json"
QUARANTINE = "quarantine.jsonl"


@dataclass(frozen=True)
class Outcome:
    """Say what a run was made from and how it went, for its record."""

    inputs: dict[str, str]
    """Digest of each corpus's shard index, and of the initial encoder's files."""
    images: dict[str, dict[str, int]]
    """Images of each split, by corpus."""
    quarantine: Quarantine
    """Damaged samples that were set aside."""
    steps: int
    """Optimiser steps taken."""
    origin: Mapping[str, Any]
    """Hardware and software of the life of the run that took the last step: fields of its record."""


def publish_run(run: Run, task: PretrainingTask, outcome: Outcome, history: Path) -> None:
    """Publish a run, each file whole or not at all; the record comes after all that it names."""
    for folder in (run.run_folder, run.encoder_folder):
        clear_scratch(folder)
    task.cpu()
    weights = {name: tensor.contiguous() for name, tensor in task.model.state_dict().items()}
    publish_bytes(run.run_folder / FULL_WEIGHTS, safetensors.torch.save(weights))
    publish_json(run.run_folder / RESOLVED_SETTINGS, run.settings.model_dump(mode="json"))
    save_encoder(run.encoder_folder, task.encoder, run.settings.encoder, outcome.quarantine.count)
    publish_bytes(run.run_folder / QUARANTINE, outcome.quarantine.content())
    publish_bytes(run.run_folder / HISTORY, history.read_bytes())
    publish_text(run.run_folder / RUN_RECORD, _record(run, outcome).model_dump_json(indent=2) + "\n")


def _record(run: Run, outcome: Outcome) -> RunRecord:
    return RunRecord(
        run=run.name,
        settings=settings_digest(run.settings.model_dump(mode="json")),
        code=run.code,
        inputs=outcome.inputs,
        images=outcome.images,
        quarantined=outcome.quarantine.count,
        encoder=file_digest(run.encoder_folder / WEIGHTS),
        weights=file_digest(run.run_folder / FULL_WEIGHTS),
        steps=outcome.steps,
        **outcome.origin,
    )

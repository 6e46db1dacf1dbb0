"""Stage of rule pretrain_encoder: train one run, from wherever it was stopped, and publish it."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.order import fixed_subset
from pipeline.batches.samples import Samples
from pipeline.models.encoder_folder import WEIGHTS, save_encoder
from pipeline.records.digests import file_digest, settings_digest
from pipeline.records.events import EventLog
from pipeline.records.publish import publish_bytes, publish_json, publish_text, publishing
from pipeline.records.runs import RunRecord
from pipeline.records.versions import TRAINING_PACKAGES, package_versions
from pipeline.settings.pretraining import WITHOUT_EFFECT_ON_WEIGHTS, PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.training.device import describe_device, prepare_device
from pipeline.training.loop import Data, Trainer
from pipeline.training.state import StateFolder

log = logging.getLogger(__name__)

FULL_WEIGHTS = "model.safetensors"
RESOLVED_SETTINGS = "settings.json"
HISTORY = "history.jsonl"
RUN_RECORD = "run.json"


@dataclass(frozen=True)
class Run:
    """Name one run and the folders it is published in."""

    name: str
    settings: PretrainingSettings
    indexes: Mapping[str, Path]
    """Shard index of each corpus of the mix."""
    code: str
    """Digest of the stage's code."""
    encoder_folder: Path
    run_folder: Path
    threads: int


def pretrain_encoder(run: Run) -> None:
    """Train a run to its last step and publish encoder, full weights, settings, history and record.

    A run that was killed continues from its last state, provided that settings, data and code are
    still the same; the result has the same bytes as that of an undisturbed run (CPU, equal threads).

    Raises:
        UserError: There is no image to train on, a shard is damaged, or the loss is no number.
    """
    device = prepare_device(run.threads)
    inputs = {corpus: file_digest(index) for corpus, index in run.indexes.items()}
    states = StateFolder(run.run_folder / "state", _fingerprint(run, inputs))
    history = EventLog(states.folder / HISTORY)
    task = MaskedAutoencoding(run.settings).to(device)
    indexes = list(run.indexes.values())
    with Samples(indexes, ["train"]) as training, Samples(indexes, ["val"]) as validation:
        log.info("run %s: %d training images, %d validation images", run.name, len(training), len(validation))
        Trainer(task, _data(run, training, validation), run.settings, states, history).run()
        images = {"train": len(training), "val": len(validation)}
    _publish(run, task, inputs, images, history.path, describe_device(device))
    states.remove()


def _fingerprint(run: Run, inputs: dict[str, str]) -> str:
    settings = run.settings.model_dump(mode="json", exclude=WITHOUT_EFFECT_ON_WEIGHTS)
    recipe = {"settings": settings, "inputs": inputs, "code": run.code}
    return settings_digest(recipe)[:16]


def _data(run: Run, training: Samples, validation: Samples) -> Data:
    settings = run.settings
    side, batch_size = settings.encoder.image_size, settings.optimization.batch_size
    loader = TrainingLoader(training, side, batch_size, settings.seed, run.threads)
    positions = fixed_subset(len(validation), settings.validation_images, settings.seed)
    return Data(
        training=loader.batches,
        validation=lambda: fixed_batches(validation, side, batch_size, positions, run.threads),
    )


def _publish(
    run: Run,
    task: MaskedAutoencoding,
    inputs: dict[str, str],
    images: dict[str, int],
    history: Path,
    device: str,
) -> None:
    task.cpu()
    weights = {name: tensor.contiguous() for name, tensor in task.model.state_dict().items()}
    publish_bytes(run.run_folder / FULL_WEIGHTS, safetensors.torch.save(weights))
    settings = run.settings.model_dump(mode="json")
    publish_json(run.run_folder / RESOLVED_SETTINGS, settings)
    save_encoder(run.encoder_folder, task.model.encoder, run.settings.encoder)
    record = RunRecord(
        run=run.name,
        settings=settings_digest(settings),
        code=run.code,
        inputs=inputs,
        images=images,
        encoder=file_digest(run.encoder_folder / WEIGHTS),
        weights=file_digest(run.run_folder / FULL_WEIGHTS),
        steps=run.settings.optimization.steps,
        device=device,
        threads=run.threads,
        versions=package_versions(TRAINING_PACKAGES),
    )
    publish_text(run.run_folder / RUN_RECORD, record.model_dump_json(indent=2) + "\n")
    with publishing(run.run_folder / HISTORY) as scratch:
        shutil.copyfile(history, scratch)

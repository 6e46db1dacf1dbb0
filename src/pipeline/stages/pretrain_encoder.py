"""Stage of rule pretrain_encoder: train one run, from wherever it was stopped, and publish it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from pipeline.batches.augmentation import require_unflipped
from pipeline.batches.batch import Companions
from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.order import fixed_subset
from pipeline.batches.quarantine import Quarantine
from pipeline.batches.samples import Samples, Selection
from pipeline.models.encoder_folder import WEIGHTS, save_encoder
from pipeline.records.digests import file_digest, settings_digest
from pipeline.records.events import EventLog
from pipeline.records.publish import publish_bytes, publish_json, publish_text
from pipeline.records.runs import RunRecord
from pipeline.records.versions import TRAINING_PACKAGES, package_versions
from pipeline.settings.pretraining import WITHOUT_EFFECT_ON_WEIGHTS, PretrainingSettings
from pipeline.shards.jpeg import DECODER
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.training.device import describe_device, prepare_device
from pipeline.training.loop import Data, Trainer
from pipeline.training.state import StateFolder

log = logging.getLogger(__name__)

FULL_WEIGHTS = "model.safetensors"
RESOLVED_SETTINGS = "settings.json"
HISTORY = "history.jsonl"
RUN_RECORD = "run.json"
QUARANTINE = "quarantine.jsonl"


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


@dataclass(frozen=True)
class RunOrigin:
    """Say what a run was made from, for its record."""

    inputs: dict[str, str]
    """Digest of each corpus's shard index."""
    images: dict[str, dict[str, int]]
    """Images of each split, by corpus."""
    quarantine: Quarantine
    """Damaged samples that were set aside."""
    device: str
    """Where it was trained."""


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
    quarantine = Quarantine(states.folder / QUARANTINE, run.settings.max_bad, continues=states.has_any())
    with _samples(run, "train", quarantine) as training, _samples(run, "val") as validation:
        images = {"train": _count(training), "val": _count(validation)}
        log.info("run %s: images %s", run.name, images)
        data = _data(run, task.companions, training, validation, pinned=device.type == "cuda")
        Trainer(task, data, run.settings, states, history).run()
    _publish(run, task, RunOrigin(inputs, images, quarantine, describe_device(device)), history.path)
    states.remove()


def _samples(run: Run, split: str, quarantine: Quarantine | None = None) -> Samples:
    return Samples(list(run.indexes.values()), Selection((split,), run.settings.views), quarantine)


def _count(samples: Samples) -> dict[str, int]:
    return dict(zip(samples.corpora, samples.corpus_sizes, strict=True))


def _fingerprint(run: Run, inputs: dict[str, str]) -> str:
    settings = run.settings.model_dump(mode="json", exclude=WITHOUT_EFFECT_ON_WEIGHTS)
    recipe = {"settings": settings, "inputs": inputs, "code": run.code, "decoder": DECODER}
    return settings_digest(recipe)[:16]


def _data(run: Run, companions: Companions, training: Samples, validation: Samples, pinned: bool) -> Data:
    settings, threads = run.settings, run.threads
    require_unflipped(settings.augmentation, companions)
    batch_size, seed, read_size = settings.optimization.batch_size, settings.seed, settings.read_size
    loader = TrainingLoader(
        training, batch_size, seed, threads, companions, read_size, mixing=settings.mixing, pinned=pinned
    )
    positions = fixed_subset(len(validation), settings.validation_images, seed)
    return Data(
        training=loader.batches,
        validation=lambda: fixed_batches(
            validation, batch_size, positions, threads, companions, read_size, pinned=pinned
        ),
    )


def _publish(run: Run, task: MaskedAutoencoding, origin: RunOrigin, history: Path) -> None:
    """Publish what a run leaves: encoder and full weights, settings, record, history, and the damaged samples."""
    task.cpu()
    weights = {name: tensor.contiguous() for name, tensor in task.model.state_dict().items()}
    publish_bytes(run.run_folder / FULL_WEIGHTS, safetensors.torch.save(weights))
    publish_json(run.run_folder / RESOLVED_SETTINGS, run.settings.model_dump(mode="json"))
    save_encoder(run.encoder_folder, task.model.encoder, run.settings.encoder, origin.quarantine.count)
    publish_text(run.run_folder / RUN_RECORD, _record(run, origin).model_dump_json(indent=2) + "\n")
    publish_bytes(run.run_folder / HISTORY, history.read_bytes())
    publish_bytes(run.run_folder / QUARANTINE, origin.quarantine.content())


def _record(run: Run, origin: RunOrigin) -> RunRecord:
    return RunRecord(
        run=run.name,
        settings=settings_digest(run.settings.model_dump(mode="json")),
        code=run.code,
        inputs=origin.inputs,
        images=origin.images,
        quarantined=origin.quarantine.count,
        encoder=file_digest(run.encoder_folder / WEIGHTS),
        weights=file_digest(run.run_folder / FULL_WEIGHTS),
        steps=run.settings.optimization.steps,
        device=origin.device,
        decoder=DECODER,
        threads=run.threads,
        versions=package_versions(TRAINING_PACKAGES),
    )

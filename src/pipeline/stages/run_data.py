"""What a run is trained and validated on: one process's part of it, and the damaged samples that are set aside."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.batches.augmentation import require_unflipped
from pipeline.batches.batch import Companions
from pipeline.batches.companions import absent_members
from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.order import Share, fixed_subset
from pipeline.batches.quarantine import Quarantine
from pipeline.batches.samples import Samples, Selection
from pipeline.stages.training_run import Run
from pipeline.training.batching import BatchPlan
from pipeline.training.group import Group
from pipeline.training.launch import processes_per_node
from pipeline.training.loop import Data

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSamples:
    """Hold the open samples of a run."""

    training: Samples
    """The train split; damaged samples are replaced as far as the settings tolerate them."""
    validation: Samples
    """The val split."""

    @property
    def images(self) -> dict[str, dict[str, int]]:
        """Return the images of each split, by corpus."""
        return {"train": _count(self.training), "val": _count(self.validation)}


@contextmanager
def opened_samples(run: Run, quarantine: Quarantine) -> Iterator[RunSamples]:
    """Open the samples of a run while the block runs."""
    indexes, views = list(run.indexes.values()), run.settings.views
    with (
        Samples(indexes, Selection(("train",), views), quarantine) as training,
        Samples(indexes, Selection(("val",), views)) as validation,
    ):
        yield RunSamples(training, validation)


def own_quarantine(run: Run, folder: Path, group: Group, continues: bool) -> Quarantine:
    """Return a process's list of damaged samples in the run's state folder, knowing what the others' hold.

    Of a run that begins anew, what is left of an earlier one is deleted. To be called by all processes together.
    """
    if group.is_first and not continues:
        for stale in _lists(folder):
            stale.unlink()
    group.any(False)  # nobody begins a list before the first has deleted the old ones
    lists = [folder / f"quarantine-{rank}.jsonl" for rank in range(group.world)]
    return Quarantine(lists[group.rank], run.settings.max_bad, continues, {*lists, *_lists(folder)})


def whole_quarantine(run: Run, folder: Path) -> Quarantine:
    """Return all that the processes of a run have listed. Raises `UserError` where that is more than tolerated."""
    first, *others = _lists(folder) or [folder / "quarantine-0.jsonl"]
    return Quarantine(first, run.settings.max_bad, True, others)


def batches_of(
    run: Run, samples: RunSamples, companions: Companions, plan: BatchPlan, group: Group, device: torch.device
) -> Data:
    """Return a process's batches of a run. Raises `UserError` where its data or settings allow for none.

    Companions have to be there to be trained on; images are validated without where the val split has none.
    """
    settings, pinned = run.settings, device.type == "cuda"
    require_unflipped(settings.augmentation, companions)
    loader = TrainingLoader(
        samples.training,
        plan.batch_size,
        settings.seed,
        _readers(run),
        companions,
        settings.read_size,
        settings.mixing,
        Share(group.rank, group.world),
        pinned,
        parts=plan.accumulation,
    )
    for name in absent_members(samples.validation, companions):
        log.info("run %s: no image of the val split has %s, so that the loss is validated without", run.name, name)
    positions = fixed_subset(len(samples.validation), settings.validation_images, settings.seed)
    own = positions[group.rank :: group.world]
    return Data(
        training=loader.batches,
        validation=lambda: fixed_batches(
            samples.validation,
            plan.device_batch,
            own,
            _readers(run),
            companions,
            settings.read_size,
            pinned,
            required=False,
        ),
        keys=loader.keys,
    )


def _count(samples: Samples) -> dict[str, int]:
    return dict(zip(samples.corpora, samples.corpus_sizes, strict=True))


def _lists(folder: Path) -> list[Path]:
    return sorted(folder.glob("quarantine-*.jsonl"))


def _readers(run: Run) -> int:
    """Return the threads that read for each process, by default its part of those of its node."""
    if run.hardware.readers >= 0:
        return run.hardware.readers
    return max(1, run.hardware.threads // processes_per_node(run.hardware))

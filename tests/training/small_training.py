"""A model of two layers and made-up images of 4 by 4 pixels: a training that takes milliseconds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.batches.batch import ImageBatch
from pipeline.batches.order import Share
from pipeline.batches.planes import Planes
from pipeline.records.events import Event, EventLog, read_events
from pipeline.settings.training import TrainingSettings
from pipeline.training.batching import BatchPlan, plan_batch
from pipeline.training.group import ALONE, Group
from pipeline.training.loop import Data, Surroundings, Trainer
from pipeline.training.state import StateFolder
from pipeline.training.stopping import NEVER, Interruptions

STEPS = 8
BATCH_SIZE = 6


def settings_of(watching: dict[str, Any] | None = None, **optimization: Any) -> TrainingSettings:
    """Return the settings of a short training, with some changed."""
    changed = {"steps": STEPS, "batch_size": BATCH_SIZE, "base_learning_rate": 0.4, "warmup_steps": 2} | optimization
    return TrainingSettings.model_validate(
        {"optimization": changed, "validate_every": 2, "log_every": 3} | (watching or {})
    )


class SmallTask(nn.Module):
    """Reconstruct images through a narrow layer, with dropout where asked for."""

    watched: tuple[str, ...] = ()

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(16, 8), nn.GELU(), nn.Dropout(dropout), nn.Linear(8, 16))

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        pixels = batch.images.pixels.flatten(1) / 255
        return {"loss": nn.functional.mse_loss(self.model(pixels), pixels)}

    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        return self.forward(batch)

    def check(self, watched: Mapping[str, float], images: int) -> None:
        """Find nothing wrong."""

    def layers(self) -> dict[str, int]:
        return {name: int(not name.startswith("model.0")) for name, _ in self.named_parameters()}


def images(positions: NDArray[np.int64]) -> ImageBatch:
    """Return the images at some positions of an endless corpus."""
    pixels = [np.random.default_rng(position).integers(0, 256, (1, 4, 4), dtype=np.uint8) for position in positions]
    none = np.zeros_like(positions)
    return ImageBatch(Planes.of(torch.from_numpy(np.stack(pixels))), none, positions, none)


def nothing(_: int) -> None:
    """Do nothing before a step."""


@dataclass
class SmallTraining:
    """Hold one run and where it leaves its traces."""

    folder: Path
    settings: TrainingSettings = field(default_factory=settings_of)
    task: Callable[[], nn.Module] = SmallTask
    device_batch: int = 0
    group: Group = ALONE
    interruptions: Interruptions = NEVER
    before: Callable[[int], None] = nothing
    """What happens before each step, counted from 0."""
    checkpoint_seconds: float = 0.0
    origin: Mapping[str, Any] = field(default_factory=dict)
    validation: Callable[[], Sequence[ImageBatch]] = lambda: [images(np.arange(1000, 1005))]

    def run(self) -> dict[str, Tensor]:
        """Train, and return a copy of what would be published."""
        torch.set_num_threads(1)  # more would wait for each other for longer than they compute
        trainer = self.trainer()
        trainer.run()
        return {name: tensor.clone() for name, tensor in trainer.task.state_dict().items()}

    def trainer(self) -> Trainer:
        data = Data(self._batches, self.validation, self._keys)
        return Trainer(self.task(), data, self.settings, self._surroundings())

    @property
    def states(self) -> StateFolder:
        return StateFolder(self.folder / "state", "f" * 16)

    @property
    def saved(self) -> tuple[int, dict[str, Any]]:
        """The step and content of the newest state."""
        newest = self.states.newest()
        assert newest is not None
        return newest

    def events(self, kind: str) -> list[Event]:
        return [event for event in read_events(self.folder / "history.jsonl") if event["event"] == kind]

    @property
    def _plan(self) -> BatchPlan:
        return plan_batch(self.settings.optimization.batch_size, self.group.world, self.device_batch)

    def _surroundings(self) -> Surroundings:
        history = EventLog(self.folder / "history.jsonl") if self.group.is_first else None
        return Surroundings(
            self.states, history, self.interruptions, self._plan, self.group, self.checkpoint_seconds, self.origin
        )

    def _batches(self, first: int, last: int) -> Iterator[ImageBatch]:
        plan = self._plan
        for step in range(first, last):
            self.before(step)
            for part in range(plan.accumulation):
                share = Share(self.group.rank * plan.accumulation + part, plan.world * plan.accumulation)
                yield images(share.places(step, plan.batch_size))

    def _keys(self, step: int) -> list[str]:
        return [f"made/{place}" for place in Share().places(step, self.settings.optimization.batch_size)]


def same_bytes(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Tell whether two sets of weights are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)

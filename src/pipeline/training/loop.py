"""The loop: every method is trained by it, and it knows nothing of any."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from pipeline.batches.batch import ImageBatch
from pipeline.records.errors import UserError
from pipeline.records.events import EventLog
from pipeline.records.progress import Progress
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.training.meter import Meter, Reading, timed
from pipeline.training.optimizer import build_optimizer, set_learning_rate
from pipeline.training.schedule import learning_rate
from pipeline.training.state import StateFolder

log = logging.getLogger(__name__)


class Task(Protocol):
    """Model and loss: what the loop asks of a method."""

    def __call__(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the training loss under `loss`."""
        ...

    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the validation loss under `loss`."""
        ...


@dataclass(frozen=True)
class Data:
    """Say where the loop's batches come from."""

    training: Callable[[int, int], Iterator[ImageBatch]]
    """Gives the batches of steps first (inclusive) to last (exclusive)."""
    validation: Callable[[], Iterable[ImageBatch]]
    """Gives the validation batches, the same each time."""


class Trainer:
    """Train a task for the steps its settings say, saving and resuming its state."""

    def __init__(
        self,
        task: nn.Module,
        data: Data,
        settings: PretrainingSettings,
        states: StateFolder,
        history: EventLog,
    ) -> None:
        """Prepare the optimiser; `task` is a `Task` that is also a module."""
        self.task = task
        self.data = data
        self.settings = settings
        self.states = states
        self.history = history
        self.optimizer = build_optimizer(task, settings.optimization)

    def run(self) -> None:
        """Train from the newest state, or from the start, to the last step.

        Raises `UserError` where the loss is no longer a number; the last good state is kept.
        """
        first = self._resume()
        steps = self.settings.optimization.steps
        self.history.append({"event": "start", "step": first})
        images = (steps - first) * self.settings.optimization.batch_size
        with Progress("training", images) as progress, closing(timed(self.data.training(first, steps))) as batches:
            meter = Meter()
            for step, (batch, waited) in enumerate(batches, start=first):
                meter.add(self._update(step, batch), len(batch), waited)
                progress.advance(len(batch), waited)
                self._record(step + 1, meter)
        self.history.append({"event": "finish", "step": steps})

    def _record(self, step: int, meter: Meter) -> None:
        """Log, validate and save where it is due."""
        # Logging finds a loss that is no number, so nothing is saved unlogged.
        if self._due(step, self.settings.log_every) or self._due(step, self.settings.checkpoint_every):
            self._log(step, meter.read())
        with meter.paused():
            if self._due(step, self.settings.validate_every):
                self._validate(step)
            if self._due(step, self.settings.checkpoint_every):
                self._save(step)

    def _update(self, step: int, batch: ImageBatch) -> Tensor:
        """Take one optimiser step and return its loss, still on the device."""
        optimization = self.settings.optimization
        set_learning_rate(self.optimizer, learning_rate(step, optimization))
        with self._precision():
            loss: Tensor = self.task(batch)["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
        if optimization.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.task.parameters(), optimization.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def _precision(self) -> AbstractContextManager[None]:
        device = next(self.task.parameters()).device.type
        enabled = self.settings.optimization.precision == "bfloat16"
        return torch.autocast(device, torch.bfloat16, enabled=enabled)

    def _log(self, step: int, reading: Reading) -> None:
        self._require_number(reading.loss, step, "training")
        rate = learning_rate(step - 1, self.settings.optimization)
        self.history.append({"event": "step", "step": step, "lr": rate, **reading._asdict()})
        log.info("step %d %s", step, reading)

    @torch.no_grad()
    def _validate(self, step: int) -> None:
        self.task.eval()
        meter = Meter()
        for batch, waited in timed(self.data.validation()):
            with self._precision():
                loss = self.task.validate(batch)["loss"]  # type: ignore[operator]
            meter.add(loss, len(batch), waited)
        self.task.train()
        reading = meter.read()
        self._require_number(reading.loss, step, "validation")
        self.history.append({"event": "validation", "step": step, **reading._asdict()})
        log.info("step %d validation %s", step, reading)

    def _require_number(self, loss: float, step: int, what: str) -> None:
        if not math.isfinite(loss):
            raise UserError(
                f"the {what} loss is {loss} at step {step}; lower base_learning_rate or set clip_norm, and run again"
            )

    def _due(self, step: int, every: int) -> bool:
        return step % every == 0 or step == self.settings.optimization.steps

    def _save(self, step: int) -> None:
        weights = self.task.state_dict()
        if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
            self._require_number(math.nan, step, "training")
        self.states.save(step, {"task": weights, "optimizer": self.optimizer.state_dict()})
        self.history.append({"event": "save", "step": step})

    def _resume(self) -> int:
        newest = self.states.newest()
        if newest is None:
            return 0
        step, state = newest
        self.task.load_state_dict(state["task"])
        self.optimizer.load_state_dict(state["optimizer"])
        log.info("resuming after step %d", step)
        return step

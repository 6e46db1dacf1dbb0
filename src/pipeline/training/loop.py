"""The loop: every method is trained by it, on any number of devices, and it knows nothing of any."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any, cast

import torch
from torch import nn

from pipeline.settings.training import TrainingSettings
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.device import describe_device
from pipeline.training.early_stopping import EarlyStopping
from pipeline.training.history import Fact, RunHistory
from pipeline.training.meter import Meter
from pipeline.training.not_a_number import NumberCheck
from pipeline.training.out_of_memory import NO_ROOM_FOR_STATE, explaining_memory, fewer_at_once
from pipeline.training.saving import StateWriter
from pipeline.training.schedule import learning_rate
from pipeline.training.step import Stepper
from pipeline.training.stopping import RunInterrupted
from pipeline.training.surroundings import Surroundings
from pipeline.training.task import Data, Task
from pipeline.training.utilisation import peak_memory
from pipeline.training.validation import mean_loss
from pipeline.training.waiting import Feed

__all__ = ["Data", "Surroundings", "Task", "Trainer"]


class Trainer:
    """Train a task for the steps its settings say, saving and resuming its state."""

    def __init__(self, task: nn.Module, data: Data, settings: TrainingSettings, surroundings: Surroundings) -> None:
        """Prepare to train; `task` is a `Task` that is also a module."""
        group, plan, states = surroundings.group, surroundings.plan, surroundings.states
        self.surroundings = surroundings
        self.task = task
        self.method = cast(Task, task)
        self.data = data
        self.settings = settings
        self.interruptions = surroundings.interruptions
        self.group = group
        self.plan = plan
        self.device = next(task.parameters()).device
        self.stepper = Stepper(task, self.method.layers(), self.method.watched, settings, plan, group)
        self.early = EarlyStopping(settings.early_stopping)
        self.meter = Meter(plan.batch_size, group, self.method.watched)
        self.did_steps = False
        """Whether this life of the run has taken a step."""
        self.origin: Mapping[str, Any] = surroundings.origin
        """What the life was trained on that took the last step so far, as its surroundings say."""
        self.history = RunHistory(surroundings.history)
        self.writer = StateWriter(states)
        self.checkpoints = Checkpoints(
            states, self.writer, self.interruptions, group, surroundings.checkpoint_seconds, self.history
        )
        self.numbers = NumberCheck(data.keys, states.folder, group, self.checkpoints)

    def run(self) -> int:
        """Train from the newest state, or from the start, to the last step; the task then holds what is published.

        Returns the number of steps that the run has had, over all its lives.

        Raises:
            RunInterrupted: The run was told to stop, or its time is over; its state is saved.
            UserError: A loss or weight is no number, a device or disk is full, or there is nothing to validate on; the
                last good state is kept.
        """
        with self.writer:
            step = self._resume()
            if not self._is_over(step):
                step = self._go_on(step)
            self.checkpoints.settle()
        self._finish(step)
        return step

    def _resume(self) -> int:
        """Load the newest state, if there is one, and return how many steps were done."""
        found = self.checkpoints.load()
        step = 0
        if found is not None:
            step, state = found
            self.stepper.load_state_dict(state)
            self.early.load_state_dict(state["stopping"])
            self.meter = Meter(self.plan.batch_size, self.group, self.method.watched, state["means"])
            self.origin = state["origin"]
        return step

    def _go_on(self, step: int) -> int:
        """Train from `step` until the run is over, and return how many steps were done then."""
        last = self.settings.optimization.steps
        self.history.start(step, self._resolved())
        images = (last - step) * self.plan.batch_size
        with self.history.following(images), closing(Feed(self.data.training(step, last))) as feed:
            self._keep(step)
            while not self._is_over(step):
                self._train(step, feed)
                step += 1
                self._watch(step)
                self._keep(step)
        return step

    def _train(self, step: int, feed: Feed) -> None:
        """Take one step, counted from 0, without waiting for the device."""
        with explaining_memory(fewer_at_once(self.plan.device_batch)):
            share = self.stepper.take(step, feed.take(self.plan.accumulation))
        self.did_steps, self.origin = True, self.surroundings.origin
        self.meter.add(share, feed.waited)
        self.history.advance(self.plan.batch_size, feed.waited)

    def _watch(self, step: int) -> None:
        """Log and validate where that is due after `step` steps."""
        if self._is_due(step, self.settings.log_every):
            self._log(step)
        if self._is_due(step, self.settings.validate_every):
            self._require_numbers(step)
            with self.meter.paused():
                self._validate(step)
        if self._is_over(step) and self.meter.losses():  # of a run that ends early, between two lines of its history
            self._log(step)

    def _log(self, step: int) -> None:
        self.numbers.require_losses(self.meter.losses(), step)
        reading = self.meter.read()
        rate = learning_rate(step - 1, self.settings.optimization)
        share = self.stepper.utilisation.share(reading.images_per_second / self.group.world)
        self.history.step(step, rate, reading, peak_memory(self.device), share)
        self.method.check(reading.watched, reading.images)

    def _validate(self, step: int) -> None:
        """Observe the loss of what would be published now."""
        with self.stepper.evaluated():
            reading = mean_loss(self.stepper.validation_loss, self.data.validation(), self.group, self.device)
            self.numbers.require_validation(reading.loss, step)
            with explaining_memory(NO_ROOM_FOR_STATE):
                self.early.observe(step, reading.loss, self.task.state_dict)
        self.history.validation(step, reading)

    def _keep(self, step: int) -> None:
        """Save where that is due, or where the run is over or told to stop.

        This comes after logging and validation, so that a state holds what they found: killed before it is on disk, a
        run does both again; killed after, it does neither.
        """
        due, stop = self.checkpoints.decide()
        if due or self._is_over(step):
            self._require_numbers(step)
            with self.meter.paused():
                self.checkpoints.save(step, self._state())
        if stop is not None and not self._is_over(step):
            self.checkpoints.settle()
            self.history.stop(step, stop)
            raise RunInterrupted(step, stop, self.interruptions.signalled)

    def _finish(self, step: int) -> None:
        """Let the task hold the best weights, or their average, where the settings ask for them."""
        best = self.early.best
        if best is None:
            self.stepper.store_average()
        else:
            self.task.load_state_dict(best.weights)
        self.history.finish(step, step if best is None else best.step)

    def _require_numbers(self, step: int) -> None:
        self.numbers.require_losses(self.meter.losses(), step)
        self.numbers.require_weights(self.task.state_dict().values(), step)

    def _state(self) -> dict[str, Any]:
        """Return all that a run continues from; means that were not logged yet are logged by its next life."""
        watched = {"stopping": self.early.state_dict(), "means": self.meter.means()}
        return self.stepper.state_dict() | watched | {"origin": self.origin}

    def _is_due(self, step: int, every: int) -> bool:
        return step % every == 0 or step == self.settings.optimization.steps

    def _is_over(self, step: int) -> bool:
        return step == self.settings.optimization.steps or self.early.over

    def _resolved(self) -> dict[str, Fact]:
        """Return what settings and hardware came to."""
        optimization = self.settings.optimization
        return {
            **asdict(self.plan),
            "precision": optimization.precision,
            "compiled": optimization.compiled,
            "threads": torch.get_num_threads(),
            "device": describe_device(self.device),
        }

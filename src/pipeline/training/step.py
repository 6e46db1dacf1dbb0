"""One optimiser step: gradients of the parts of a batch, the step, and the average of the weights."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.batches.batch import ImageBatch
from pipeline.records.randomness import keyed_generator
from pipeline.settings.training import TrainingSettings
from pipeline.training.averaging import WeightAverage
from pipeline.training.batching import BatchPlan
from pipeline.training.group import Group
from pipeline.training.optimizer import build_optimizer, set_learning_rate
from pipeline.training.out_of_memory import NO_ROOM_FOR_AVERAGE, explaining_memory
from pipeline.training.phases import Phases
from pipeline.training.precision import Precision
from pipeline.training.schedule import learning_rate
from pipeline.training.utilisation import Utilisation


class Stepper:
    """Hold what a step changes beside the weights: optimiser, loss scale, average, and what is trained."""

    def __init__(
        self,
        task: nn.Module,
        layers: Mapping[str, int],
        watched: Sequence[str],
        settings: TrainingSettings,
        plan: BatchPlan,
        group: Group,
    ) -> None:
        """Prepare to train a task whose parameters are of the given layers, and whose watched scalars are named."""
        optimization = settings.optimization
        self.task = task
        self.settings = settings
        self._watched = watched
        self._device = next(task.parameters()).device
        self.precision = Precision(optimization.precision, self._device)
        self.utilisation = Utilisation(self._device, optimization.precision)
        self._plan = plan
        self._group = group
        self._optimizer = build_optimizer(task, layers, optimization)
        self._average = WeightAverage(task, optimization.average_decay) if optimization.average_decay else None
        self._phases = Phases(task, optimization)
        self._wrapped = task
        self._is_wrapped = False

    def take(self, step: int, parts: Iterable[ImageBatch]) -> Tensor:
        """Take a step, counted from 0, by the parts of its batch that are this process's.

        Returns this process's share of the loss and of what is watched, float64 [1 + W], still on the device: the
        shares of all processes sum to the means over the batch.
        """
        optimization = self.settings.optimization
        entered = self._phases.enter(step) or not self._is_wrapped
        set_learning_rate(self._optimizer, learning_rate(step, optimization))
        shares = []
        for number, part in enumerate(parts):
            if entered and number == 0:
                self._wrap(part)
            shares.append(self._learn(step, number, part))
        if entered:
            self._phases.check_gradients()
        self.precision.step(self._optimizer, self.task.parameters(), optimization.clip_norm)
        self._optimizer.zero_grad(set_to_none=True)
        if self._average is not None:
            self._average.update()
        return torch.stack(shares).sum(0)

    def validation_loss(self, batch: ImageBatch) -> Tensor:
        """Return the validation loss of a batch."""
        with self.precision.autocast():
            loss: Tensor = self.task.validate(batch)["loss"]  # type: ignore[operator]
        return loss

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Let the task be what is validated and published: without dropout, and with averaged weights if there are."""
        with ExitStack() as changes:
            changes.callback(self._phases.let_train)
            self.task.eval()
            if self._average is not None:
                with explaining_memory(NO_ROOM_FOR_AVERAGE):
                    changes.enter_context(self._average.swapped())
            yield

    def state_dict(self) -> dict[str, Any]:
        """Return weights, optimiser, loss scale and average."""
        return {
            "task": self.task.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "precision": self.precision.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, on this device."""
        self.task.load_state_dict(state["task"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.precision.load_state_dict(state["precision"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def store_average(self) -> None:
        """Let the task hold the averaged weights for good, if there are."""
        if self._average is not None:
            self._average.store()

    def _learn(self, step: int, number: int, part: ImageBatch) -> Tensor:
        """Add a part's gradients and return its share of the batch's loss and of what is watched."""
        self._seed(step, number)
        share = len(part) / self.settings.optimization.batch_size
        with self._group.accumulating(self._wrapped, last=number == self._plan.accumulation - 1):
            with self.precision.autocast():
                scalars: dict[str, Tensor] = self._wrapped(part)
            # The processes' gradients are averaged, where those of the batch's mean are a sum of shares.
            self.precision.backward(scalars["loss"] * (share * self._group.world))
        return torch.stack([scalars[name].detach().double() for name in ("loss", *self._watched)]) * share

    def _seed(self, step: int, number: int) -> None:
        """Key dropout by the step and the part, so that there is no generator whose state would have to be saved."""
        part = self._group.rank * self._plan.accumulation + number
        seed = int(keyed_generator(self.settings.seed, "dropout", step, part).integers(2**63))
        # Not torch.manual_seed, which takes longer than a small step: it formats a traceback where CUDA is not used.
        torch.default_generator.manual_seed(seed)
        if self._device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _wrap(self, part: ImageBatch) -> None:
        """Wrap the task for what is trained from now on; before the first time it is measured and compiled."""
        if not self._is_wrapped:
            self._measure(part)
            if self.settings.optimization.compiled:
                self.task.get_submodule("model").compile()
        # What wrapped the task before goes first, so that there are never two sets of buckets for gradients. Torch may
        # leave it in a reference cycle, as where it imports while it wraps.
        if self._wrapped is not self.task:
            self._wrapped = self.task
            gc.collect()
        self._wrapped, self._is_wrapped = self._group.wrap(self.task), True
        self._phases.let_train()

    def _measure(self, part: ImageBatch) -> None:
        """Count the operations of a step, before hooks and compilation hide them."""

        def loss() -> Tensor:
            with self.precision.autocast():
                counted: Tensor = self.task(part)["loss"]
            return counted

        self.task.eval()  # so that nothing is changed, such as statistics of the images seen
        self.utilisation.count(loss, len(part))

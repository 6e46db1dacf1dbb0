"""What is trained when: some of the parameters in one phase, others in the next."""

import logging
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from torch import nn

from pipeline.records.errors import UserError
from pipeline.settings.training import OptimizationSettings

log = logging.getLogger(__name__)


class Phases:
    """Freeze and release parameters as the run's phases ask; without phases all that can be trained always is.

    Parameters that require no gradient when this is built, such as fixed positions, are never trained. There is no
    state to save: the phase follows from the step.
    """

    def __init__(self, task: nn.Module, settings: OptimizationSettings) -> None:
        """Find the parameters of each phase.

        Raises `UserError` where a name's beginning begins none, or only such as are never trained.
        """
        self._task = task
        self._parameters = dict(task.named_parameters())
        self._trainable = [name for name, parameter in self._parameters.items() if parameter.requires_grad]
        self._phases = settings.phases
        self._ends = list(accumulate(phase.steps for phase in settings.phases))
        self._entered: int | None = None
        for number, phase in enumerate(settings.phases, start=1):
            for beginning in phase.trains:
                self._require_some(beginning, number)

    def enter(self, step: int) -> bool:
        """Train what the phase of `step`, counted from 0, trains, and nothing else; return whether that changed."""
        number = min(bisect_right(self._ends, step), max(len(self._phases) - 1, 0))
        if number == self._entered:
            return False
        self._entered = number
        trained = self._trained(number)
        self._log(number, trained)
        return self._release(trained)

    def let_train(self) -> None:
        """Put the task into training mode, but for the modules of which no parameter is trained now.

        Those stay as they are whole: in evaluation mode batch normalisation keeps its running statistics, and dropout
        draws nothing (spec Patch-IB DEFECT B6), also in modules without parameters that are part of them. Modules
        without parameters that are part of none train.
        """
        self._task.train()
        for module in self._task.modules():
            trained = [parameter.requires_grad for parameter in module.parameters()]
            if trained and not any(trained):
                module.eval()

    def check_gradients(self) -> None:
        """Raise `AssertionError` unless what is trained has gradients and nothing else has."""
        odd = [name for name, p in self._parameters.items() if p.requires_grad != (p.grad is not None)]
        if odd:
            raise AssertionError(f"trained without a gradient, or with one and not trained: {', '.join(odd)}")

    def _trained(self, number: int) -> set[str]:
        if not self._phases:
            return set(self._trainable)
        return {name for name in self._trainable if name.startswith(self._phases[number].trains)}

    def _release(self, trained: set[str]) -> bool:
        """Let the trained parameters require gradients and no others; return whether any did otherwise."""
        changed = False
        for name, parameter in self._parameters.items():
            changed |= parameter.requires_grad != (name in trained)
            parameter.requires_grad_(name in trained)
            if name not in trained:
                parameter.grad = None
        return changed

    def _log(self, number: int, trained: set[str]) -> None:
        phase = f"phase {number + 1} of {len(self._phases)}: " if self._phases else ""
        count = sum(self._parameters[name].numel() for name in trained)
        log.info("%strains %d tensors, %d parameters of %s", phase, len(trained), count, _beginnings(trained))

    def _require_some(self, beginning: str, number: int) -> None:
        key = f"optimization.phases: '{beginning}', which phase {number} trains,"
        if not any(name.startswith(beginning) for name in self._parameters):
            raise UserError(f"{key} begins no parameter's name; names begin with: {_beginnings(self._parameters)}")
        if not any(name.startswith(beginning) for name in self._trainable):
            raise UserError(f"{key} begins only names of parameters that are never trained; take it out of the phase")


def _beginnings(names: Iterable[str]) -> str:
    """Return the first two parts of the names, each once, such as `model.decoder`."""
    return ", ".join(sorted({".".join(name.split(".")[:2]) for name in names}))

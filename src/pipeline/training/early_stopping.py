"""When a run has learnt what it can: its validation loss no longer falls."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from pipeline.settings.training import EarlyStoppingSettings


class Best(NamedTuple):
    """Hold the best weights of a run so far."""

    step: int
    """Steps after which they were validated."""
    loss: float
    """Their validation loss."""
    weights: dict[str, Tensor]
    """A copy of them, by name, on the CPU."""


class EarlyStopping:
    """Watch the validation loss, keep the weights that had the lowest, and say when it has not fallen for long."""

    def __init__(self, settings: EarlyStoppingSettings | None) -> None:
        """Watch by `settings`; without them nothing is kept and the run is never over early."""
        self.settings = settings
        self.best: Best | None = None
        self._waited = 0

    @property
    def over(self) -> bool:
        """Return whether the last `patience` validations brought no improvement."""
        return self.settings is not None and self._waited >= self.settings.patience

    def observe(self, step: int, loss: float, weights: Callable[[], Mapping[str, Tensor]]) -> None:
        """Take in the validation loss after `step` steps; `weights` is asked, and copied, only where it improved.

        Improved means lower than the best by more than `least_improvement`.
        """
        if self.settings is None:
            return
        if self.best is None or loss < self.best.loss - self.settings.least_improvement:
            self.best = Best(step, loss, _copied(weights()))
            self._waited = 0
        else:
            self._waited += 1

    def state_dict(self) -> dict[str, Any]:
        """Return what was kept, the weights included; nothing where nothing is watched."""
        if self.settings is None:
            return {}
        return {"waited": self._waited, "best": None if self.best is None else self.best._asdict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        if self.settings is None:
            return
        self._waited = state["waited"]
        self.best = None if state["best"] is None else Best(**state["best"])


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.detach().to("cpu", copy=True) for name, weight in weights.items()}

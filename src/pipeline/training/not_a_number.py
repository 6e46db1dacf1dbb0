"""A run whose numbers are none any more: which step it was, on which images, and what to do."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from pipeline.records.errors import UserError
from pipeline.records.publish import publish_json
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.group import Group

LISTING = "not_a_number.json"
"""Names the images of a step whose loss, or whose weights, are no numbers, and those of the step before."""

_KEYS_SHOWN = 3


class NumberCheck:
    """Stop a run whose losses or weights are not finite, before such weights are saved.

    All processes see the same losses, and have to ask together.
    """

    def __init__(
        self, keys: Callable[[int], Sequence[str]], folder: Path, group: Group, checkpoints: Checkpoints
    ) -> None:
        """Take the keys of the images of each step, counted from 0, and the folder for a listing of the guilty ones.

        The first process writes the listing. Keys of credentialed corpora are identifiers, so no more than a few are
        said in a sentence that a log shows, each in quotes, by which `redact` knows them.
        """
        self._keys = keys
        self._folder = folder
        self._group = group
        self._checkpoints = checkpoints

    def require_losses(self, losses: Sequence[float], last_step: int) -> None:
        """Raise `UserError` for the first loss that is no number; `losses` are of the steps that end with the last."""
        for step, loss in enumerate(losses, start=last_step - len(losses) + 1):
            if not math.isfinite(loss):
                self._stop(f"the training loss is {loss} at step {step}{self._listed(step, loss)}")

    def require_weights(self, weights: Iterable[Tensor], step: int) -> None:
        """Raise `UserError` where a weight after `step` steps is no number in any process; waits for the device."""
        finite = [weight.isfinite().all() for weight in weights if weight.is_floating_point()]
        (spoilt,) = self._group.any(not bool(torch.stack(finite).all()))
        if spoilt:
            self._stop(f"weights are no numbers after step {step}{self._listed(step, None)}")

    def require_validation(self, loss: float, step: int) -> None:
        """Raise `UserError` where the validation loss after `step` steps is no number."""
        if not math.isfinite(loss):
            self._stop(f"the validation loss is {loss} at step {step}")

    def _listed(self, step: int, loss: float | None) -> str:
        """List the images of a step and of the one before, and return a clause that names the first of the step.

        Where a loss was finite and its gradient was not, the weights are spoilt, and the next loss is what shows it.
        """
        if not self._group.is_first or step == 0:
            return ""
        images = [{"step": taken, "keys": list(self._keys(taken - 1))} for taken in (step - 1, step) if taken > 0]
        listing = self._folder / LISTING
        publish_json(listing, {"step": step, "loss": None if loss is None else str(loss), "images": images})
        first = ", ".join(f"'{key}'" for key in self._keys(step - 1)[:_KEYS_SHOWN])
        before = "" if step == 1 else ", and those of the step before, whose gradient may be at fault"
        return f", whose images are {first} and others; {listing} lists them{before}"

    def _stop(self, what: str) -> NoReturn:
        self._checkpoints.settle()
        raise UserError(
            f"{what}; lower base_learning_rate, set clip_norm or leave float16, and the run begins anew; the state of "
            f"step {self._checkpoints.newest}, the last good one, is kept for another try by the same settings"
        )

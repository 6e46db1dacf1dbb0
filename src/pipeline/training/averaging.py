"""A moving average of the weights, which is often better than any of them (Polyak and Juditsky 1992)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average the parameters that are trained, exponentially; what is not trained equals its own average.

    Parameters that require a gradient when this is built are the trained ones. Averages are float32 and live where
    the weights do. Buffers are not averaged: the module's own go with the averages.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Begin with the weights as they are; `decay`, 0.0 to 1.0, is the weight of the past in each step."""
        self.decay = decay
        self.updates = 0
        self._weights = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self._averages = {name: weight.detach().float().clone() for name, weight in self._weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step; the first steps, counted from 0, decay by (1 + t) / (10 + t) at most."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        weights = [weight.float() for weight in self._weights.values()]
        torch._foreach_lerp_(list(self._averages.values()), weights, 1 - decay)
        self.updates += 1

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Let the module hold the averages inside, and its weights again, bit for bit, however it is left."""
        held = [weight.detach().clone() for weight in self._weights.values()]
        try:
            self.store()
            yield
        finally:
            self._fill(held)

    def store(self) -> None:
        """Let the module hold the averages for good."""
        self._fill(list(self._averages.values()))

    def state_dict(self) -> dict[str, Any]:
        """Return the number of updates, and the averages by the names of their parameters."""
        return {"updates": self.updates, "averages": dict(self._averages)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned. Raises `ValueError` where it is of other parameters."""
        averages: dict[str, Tensor] = state["averages"]
        if averages.keys() != self._averages.keys():
            raise ValueError("the saved averages are of other parameters")
        self.updates = state["updates"]
        for name, average in self._averages.items():
            average.copy_(averages[name])

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for weight, value in zip(self._weights.values(), values, strict=True):
            weight.copy_(value)

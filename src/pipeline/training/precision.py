"""The number format of matrix products, and what a small one asks of the step."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

PrecisionName = Literal["float32", "bfloat16", "float16"]

_AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Precision:
    """Run forward, backward and step in a number format; weights and optimiser state are always float32.

    float16 has so small a range that gradients vanish: the loss is scaled up before the backward pass, and a step
    whose gradients overflowed is skipped and the scale halved (Micikevicius et al. 2018).
    """

    def __init__(self, name: PrecisionName, device: torch.device) -> None:
        """Choose the format by its name, for tensors on `device`."""
        self._device = device.type
        self._dtype = _AUTOCAST[name]
        self._scaler = torch.amp.GradScaler(self._device, enabled=name == "float16")

    def autocast(self) -> torch.autocast:
        """Return the context of forward passes."""
        return torch.autocast(self._device, self._dtype, enabled=self._dtype is not None)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`, a scalar, to the parameters'."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(
        self, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], clip_norm: float | None
    ) -> None:
        """Clip the gradients' common norm to `clip_norm`, then step, without waiting for the device.

        A float16 step whose gradients are not all finite leaves the parameters as they are.
        """
        if clip_norm is not None:
            self._scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the loss scale and how long it has held; nothing where losses are not scaled."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(state)

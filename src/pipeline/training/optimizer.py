"""AdamW over groups of parameters: each layer has a learning rate, and each parameter decays or does not."""

from collections.abc import Mapping

import torch
from torch import nn

from pipeline.settings.training import OptimizationSettings


def build_optimizer(task: nn.Module, layers: Mapping[str, int], settings: OptimizationSettings) -> torch.optim.AdamW:
    """Return AdamW over the parameters that require a gradient; biases and one-dimensional ones do not decay.

    A layer's learning rate is `layer_decay` times that of the layer above it, which each of its parameters has,
    those without weight decay included (spec Patch-IB 2.6, where the original forgets them). Each group keeps the
    product under `scale`.

    Args:
        task: Holds the parameters.
        layers: Number of the layer of each parameter, by name, from the input on; the largest has the whole rate.
        settings: Learning rate, layer decay, weight decay and betas.
    """
    top = max(layers.values())
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in task.named_parameters():
        if parameter.requires_grad:
            kind = (settings.layer_decay ** (top - layers[name]), parameter.ndim > 1)
            groups.setdefault(kind, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "scale": scale,
                "lr": settings.learning_rate * scale,
                "weight_decay": settings.weight_decay if decays else 0.0,
            }
            for (scale, decays), parameters in groups.items()
        ],
        betas=settings.betas,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of every group to `value` times the group's scale, the schedule's floor included."""
    for group in optimizer.param_groups:
        group["lr"] = value * group["scale"]

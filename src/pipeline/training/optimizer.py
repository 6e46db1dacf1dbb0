"""AdamW over two groups of parameters: those that decay and those that do not."""

import torch
from torch import nn

from pipeline.settings.training import OptimizationSettings


def build_optimizer(model: nn.Module, settings: OptimizationSettings) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters; biases and one-dimensional ones do not decay."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = value

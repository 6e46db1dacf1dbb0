"""What one of two processes does for `test_group`: a program that leaves what it found in a JSON file."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.batches.order import Share
from pipeline.records.errors import UserError
from pipeline.training.batching import plan_batch
from pipeline.training.group import Group, joined

BATCH = 7


def small_module(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 3)).double()


def inputs() -> Tensor:
    return torch.linspace(-1, 1, BATCH * 5, dtype=torch.float64).reshape(BATCH, 5).sin()


def gradients(group: Group, device_batch: int) -> list[list[float]]:
    """Accumulate the gradient of a batch's mean loss over the parts of this process."""
    plan = plan_batch(BATCH, group.world, device_batch)
    module = small_module(seed=group.rank)
    wrapped = group.wrap(module)
    for part in range(plan.accumulation):
        share = Share(group.rank * plan.accumulation + part, group.world * plan.accumulation)
        images = inputs()[share.places(0, BATCH)]
        with group.accumulating(wrapped, last=part == plan.accumulation - 1):
            loss = wrapped(images).square().mean() * len(images) * group.world / BATCH
            loss.backward()
    return [parameter.grad.reshape(-1).tolist() for parameter in module.parameters() if parameter.grad is not None]


def findings(group: Group) -> dict[str, Any]:
    return {
        "place": [group.rank, group.world, group.local_rank, group.is_first],
        "total": group.total(torch.tensor([1.0, 10.0 * group.rank])).tolist(),
        "any": group.any(group.rank == 0, group.rank == 1, False, True),
        "first": group.first_says(0.1 + group.rank),
        "gradients": {device_batch: gradients(group, device_batch) for device_batch in (0, 2)},
    }


def main(folder: Path) -> None:
    # Those that are left are asked to stop; as a training does, this process first tells what it has.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    found: dict[str, Any] = {}
    try:
        with joined() as group:
            found = findings(group)
            if not group.is_first:
                (folder / "1.json").write_text(json.dumps(found))
                os._exit(3)
            group.total(torch.zeros(1))
    except UserError as error:
        found["error"] = str(error)
    (folder / "0.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

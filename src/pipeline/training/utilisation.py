"""How much of a device a run uses: the share of the rate it can multiply matrices at, and its memory.

Nothing here changes what a run computes: it draws from no generator of the run, keeps no gradient and, once
counted, waits for no device.
"""

import resource
import sys
from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from pipeline.records.sizes import readable_bytes

TRAINING_PER_FORWARD = 3
"""Operations of forward and backward pass per operation of the forward pass (spec performance 1.2)."""

PROBE_SECONDS = 0.1
"""Time for which matrices are multiplied to find the ceiling, after one product to warm up."""


class Utilisation:
    """Estimate the share of a device that goes into the products of the model: model FLOPs utilisation, MFU.

    The ceiling is the rate of plain matrix products that this device reaches here and now, no data sheet's, so
    that a share says what a better loop could still gain on the machine as it is.
    """

    def __init__(self, device: torch.device, precision_name: str) -> None:
        """Prepare for a device and the number format of its products: `float32`, `bfloat16` or `float16`."""
        self._device = device
        self._dtype: torch.dtype = getattr(torch, precision_name)
        self._flops_per_image = 0.0

    def count(self, task_loss: Callable[[], Tensor], images: int) -> None:
        """Count what a training step of `task_loss` multiplies and adds per image, and measure the ceiling.

        `task_loss` computes the loss of `images` images and enters autocast itself, which would otherwise keep weights
        that were cast without gradients. It is called once, without gradients; a model that is compiled runs uncompiled
        meanwhile, and the backward pass is taken to cost twice the forward one. So the optimiser and the gradients are
        never touched, and a generator of torch that the loss draws from is put back. A loss that changes buffers when
        called, as batch normalisation does while it trains, must be put into evaluation first.

        Linear layers, matrix products, convolutions and fused attention count, two operations per multiplication
        and addition; what is elementwise does not, nor do kernels of other packages. Where early layers are not
        trained, the true cost is lower than the estimate.
        """
        generators = [self._device] if self._device.type == "cuda" else []
        with (
            torch.random.fork_rng(generators),
            torch.no_grad(),
            torch.compiler.set_stance("force_eager"),
            FlopCounterMode(display=False, custom_mapping=_attention_on_a_cpu()) as counter,
        ):
            task_loss()
        self._flops_per_image = TRAINING_PER_FORWARD * counter.get_total_flops() / images
        product_rate(self._device, self._dtype)

    def share(self, images_per_second_of_one_device: float) -> float | None:
        """Return the share, 0.0 to about 1.0, that a rate of training comes to; None where nothing was counted.

        Where several processes train together, each has a device of its own and its part of the images. More than 1.0
        says that others kept the device busy when its ceiling was measured.
        """
        if not self._flops_per_image:
            return None
        return images_per_second_of_one_device * self._flops_per_image / product_rate(self._device, self._dtype)


@cache
def product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the best rate, operations per second, of square matrix products; measured once per process.

    With float32 on a GPU, it is that of the format which torch is allowed for products, TF32 or not.
    """
    side = 4096 if device.type == "cuda" else 512
    generator = torch.Generator(device).manual_seed(0)
    # Zeros would draw less power than numbers do, and so run at a clock that training never sees.
    left, right = (torch.randn(side, side, device=device, generator=generator).to(dtype) for _ in range(2))
    _seconds(left, right)
    began, best = perf_counter(), _seconds(left, right)
    while perf_counter() - began < PROBE_SECONDS:
        best = min(best, _seconds(left, right))
    return 2 * side**3 / best


def _seconds(left: Tensor, right: Tensor) -> float:
    """Return the time of one product; on a GPU the mean over several, whose launches the first ones hide."""
    if left.device.type != "cuda":
        began = perf_counter()
        left @ right
        return perf_counter() - began
    products = 8
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    for _ in range(products):
        left @ right
    end.record()
    end.synchronize()
    milliseconds: float = start.elapsed_time(end)
    return milliseconds / 1000 / products


def _attention_on_a_cpu() -> dict[Any, Callable[..., int]]:
    """Return what torch's counter lacks: fused attention on a CPU."""

    def operations(query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object) -> int:
        return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]

    return {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: operations}


def peak_memory(device: torch.device) -> str:
    """Return the most memory that tensors on a GPU, or this process on a CPU, ever had, such as `3.1 GB`."""
    if device.type == "cuda":
        return readable_bytes(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return readable_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)

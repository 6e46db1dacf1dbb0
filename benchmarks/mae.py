"""Training steps of masked autoencoders, against Hugging Face's model of the same shape.

Whole steps on the same images under the same masks: forward and backward pass and fused AdamW, 224 px, patches of 16,
90 % masked, in one process with two threads, matrix products in float32 and in bfloat16 (autocast). The peer is
`ViTMAEForPreTraining` with fused attention and the three channels of its published weights; ours has one, the default
here. Images per second of processor time, all threads together; medians of interleaved rounds.

- ViT-B, decoder 8 x 512: the same method; goal 1.0 times the peer's rate.
- ViT-B, decoder `cross`, 8 x 512, that predicts a quarter of the hidden patches: another method, beside the peer's
  8 x 512; goal 2.5 times.
- ViT-S, decoder 2 x 512: the ViT-S of Medical MAE, beside the peer's 2 x 512.
"""

from functools import partial

import torch

from benchmarks.frame import Measure, Task, interleaved, more_is_better
from benchmarks.masked.shapes import BASE, CROSS, DEEP, SHALLOW, SMALL, Shape, shape
from benchmarks.masked.steps import PEER, train_ours, train_theirs

BATCH_SIZE, THREADS, ROUNDS = 48, 2, 3
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}
RACES = (
    [shape("ViT-B, mae 8 x 512", BASE, **DEEP), shape("ViT-B, cross 8 x 512, 25 %", BASE, **CROSS)],
    [shape("ViT-S, mae 2 x 512", SMALL, **SHALLOW)],
)
"""Shapes of ours that run beside one peer, that of the first."""


def run() -> list[Measure]:
    """Time the steps of each encoder in each number format, one after the other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        return [measure for shapes in RACES for measure in race(shapes, BATCH_SIZE, ROUNDS)]
    finally:
        torch.set_num_threads(threads)


def race(shapes: list[Shape], batch_size: int, rounds: int) -> list[Measure]:
    """Compare shapes of ours with the peer of the first, after a step of each that is not counted."""
    cpu = torch.device("cpu")
    trainings = [train_theirs(shapes[0], batch_size, cpu), *(train_ours(shape, batch_size, cpu) for shape in shapes)]
    measures = []
    for name, dtype in FORMATS.items():
        steps: list[Task] = [partial(training.step, dtype) for training in trainings]
        for step in steps:
            step()
        peer, *rates = (batch_size / seconds for seconds in interleaved(steps, rounds))
        measures += [
            more_is_better(f"{shape.name}, {name}", rate, peer, PEER, "images/CPU-s")
            for shape, rate in zip(shapes, rates, strict=True)
        ]
    return measures

"""Whole training steps fed by the pipeline's loader, from shards of made-up radiographs."""

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.masked.shapes import Shape
from benchmarks.masked.steps import Ours, adamw
from pipeline.batches.batch import ImageBatch
from pipeline.batches.loader import TrainingLoader
from pipeline.batches.samples import Samples
from pipeline.batches.selection import Selection
from pipeline.records.randomness import keyed_generator
from pipeline.shards.fingerprint import fingerprint
from pipeline.shards.index import write_index
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.tar import Sample, write_tar

SIDE, GRAIN, JPEG_QUALITY = 256, 3.0, 95
DIFFERENT = 256
"""Images that are drawn; each is repeated under keys of its own."""
SPLIT, VIEW = "train", "PA"
SEED = 0


def write_shard(folder: Path, samples: int) -> Path:
    """Write one shard of smooth, grainy images, about as large as radiographs of that size, and return its index."""
    index = folder / "made" / "index.parquet"
    index.parent.mkdir(parents=True)
    rows, summary = write_tar(index.parent / f"{SPLIT}-000000.tar", itertools.islice(_draw(), samples))
    write_index(index, rows, [summary])
    return index


def loaded(index: Path, shape: Shape, batch_size: int, threads: int, steps: int, pinned: bool) -> Iterator[ImageBatch]:
    """Yield the batches of the first steps of a run."""
    with Samples([index], Selection((SPLIT,))) as samples:
        side = shape.encoder.image_size
        loader = TrainingLoader(samples, batch_size, SEED, threads, read_size=side, pinned=pinned)
        yield from loader.batches(0, steps)


class Fed:
    """Train a task batch by batch: augment on the device, mask, loss, gradients, fused AdamW."""

    def __init__(self, shape: Shape, device: torch.device, dtype: torch.dtype, compiled: bool) -> None:
        """Prepare to train with matrix products in a number format."""
        self._task = Ours(shape).task.to(device)
        if compiled:
            self._task.model.compile()
        self._device, self._dtype = device, dtype
        self._optimizer = adamw(self._task)

    def train(self, batches: Iterable[ImageBatch]) -> None:
        """Take a step for each batch."""
        for batch in batches:
            with torch.autocast(self._device.type, self._dtype):
                loss = self._task(batch)["loss"]
            loss.backward()
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)


def _draw() -> Iterator[Sample]:
    """Yield samples without end, each a patient of its own."""
    images = [_encode(number) for number in range(DIFFERENT)]
    for number, (jpeg, bits) in enumerate(itertools.cycle(images)):
        key = f"{number:08d}"
        label = json.dumps({"patient": key, "study": key, "split": SPLIT, "view": VIEW, "findings": {}}).encode()
        yield Sample(key, key, key, VIEW, SPLIT, SIDE, SIDE, jpeg, {"json": label}, bits)


def _encode(number: int) -> tuple[bytes, bytes]:
    """Return an image as shards hold it: JPEG and fingerprint."""
    generator = keyed_generator(SEED, "made-up radiograph", number)
    coarse = generator.uniform(0, 255, (SIDE // 16, SIDE // 16)).astype(np.float32)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    grainy = np.clip(np.rint(smooth + GRAIN * generator.standard_normal(smooth.shape)), 0, 255).astype(np.uint8)
    return encode_jpeg(grainy, JPEG_QUALITY), fingerprint(grainy)

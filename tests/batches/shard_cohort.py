"""Small corpora in shards, images of several sizes with some companions, for tests of reading."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.shards.companions.png import encode_png
from pipeline.shards.fingerprint import BITS
from pipeline.shards.index import write_index
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.tar import Sample, write_tar

BOX = {"label": "edema", "reader": None, "left": 4.0, "top": 2.0, "width": 8.0, "height": 16.0}


def size(number: int) -> tuple[int, int]:
    """Return height and width of one image."""
    return 32 + number % 3 * 8, 40 + number % 4 * 4


def image(number: int, seed: int = 0) -> NDArray[np.uint8]:
    height, width = size(number)
    noise = np.random.default_rng([seed, number]).integers(0, 256, (5, 6), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height)), dtype=np.uint8)


def mask(number: int) -> NDArray[np.uint8]:
    """Return a mask of the upper `number` + 1 rows."""
    drawn = np.zeros(size(number), np.uint8)
    drawn[: number + 1] = 255
    return drawn


def members(number: int) -> dict[str, bytes]:
    """Return companions: every second image has lungs, every third a heart, a gaze map and impressions, etc."""
    boxes = [BOX] * (number % 3)
    every = {"json": json.dumps({"patient": "p", "boxes": boxes}).encode(), "findings.txt": b"clear"}
    second = {"mask.lungs.png": encode_png(mask(number))}
    third = {
        "mask.heart.png": encode_png(255 - mask(number)),
        "gaze.png": encode_png(image(number, seed=9)),
        "impression.txt": f"no change {number}".encode(),
    }
    return every | (second if number % 2 == 0 else {}) | (third if number % 3 == 0 else {})


def samples(numbers: range, split: str, seed: int) -> Iterator[Sample]:
    for number in numbers:
        height, width = size(number)
        yield Sample(
            key=f"{seed}-{number:03d}",
            patient=f"p{number}",
            study=f"s{number}",
            view=("PA", "AP")[number % 2],
            split=split,
            width=width,
            height=height,
            jpeg=encode_jpeg(image(number, seed), 95),
            members=dict(sorted(members(number).items())),
            fingerprint=bytes(BITS // 8),
        )


def write_corpus(folder: Path, train: int = 14, val: int = 0, seed: int = 0, per_shard: int = 5) -> Path:
    """Write the shards of a corpus and return their index; its keys are `{seed}-{number}`."""
    folder.mkdir(parents=True)
    tables, summaries = [], []
    for split, numbers in (("train", range(train)), ("val", range(train, train + val))):
        for shard, start in enumerate(range(0, len(numbers), per_shard)):
            part = numbers[start : start + per_shard]
            table, summary = write_tar(folder / f"{split}-{shard:06d}.tar", samples(part, split, seed))
            tables.append(table)
            summaries.append(summary)
    index = folder / "index.parquet"
    write_index(index, pa.concat_tables(tables), summaries)
    return index

"""Real radiographs as both sides read them: shards and their index, and the same JPEGs as files."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from benchmarks.loading.cohort import repeat_radiographs, write_files
from pipeline.shards.index import write_index
from pipeline.shards.tar import Sample, write_tar

IMAGES = {"train": 96, "val": 8}


@dataclass(frozen=True)
class Cohort:
    """Say where the radiographs are."""

    index: Path
    """Our index of the shards."""
    files: Path
    """Folder of the JPEG files that are trained on."""


def write_cohort(folder: Path) -> Cohort:
    """Write shards and files. Raises `UserError` where the real radiographs are absent."""
    radiographs = repeat_radiographs()
    splits = {split: list(itertools.islice(radiographs, count)) for split, count in IMAGES.items()}
    index = folder / "made" / "index.parquet"
    index.parent.mkdir(parents=True)
    written = [write_tar(index.parent / f"{split}-000000.tar", of_split(split, splits[split])) for split in splits]
    write_index(index, pa.concat_tables([rows for rows, _ in written]), [summary for _, summary in written])
    return Cohort(index, write_files(folder / "files", splits["train"]))


def of_split(split: str, samples: list[Sample]) -> list[Sample]:
    """Return the samples as those of a split."""
    return [replace(sample, split=split) for sample in samples]

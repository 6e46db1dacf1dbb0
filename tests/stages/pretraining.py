"""Runs of the stage that pretrains an encoder, and damage for them to meet."""

import shutil
from pathlib import Path
from typing import Any

from pipeline.records.runs import RunRecord
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.shards.index import read_index
from pipeline.stages.training_run import Run


def run_of(indexes: list[Path], settings: PretrainingSettings, folder: Path, **changes: Any) -> Run:
    corpora = [index.parent.name for index in indexes]
    changed = settings.model_dump(mode="json") | {"corpora": corpora} | changes
    return Run(
        name="tiny",
        settings=PretrainingSettings.model_validate(changed),
        indexes=dict(zip(corpora, indexes, strict=True)),
        code="c" * 64,
        encoder_folder=folder / "encoder",
        run_folder=folder / "run",
        hardware=Hardware(threads=2),
        log=folder / "rule.log",
    )


def record_of(folder: Path) -> RunRecord:
    return RunRecord.model_validate_json((folder / "run" / "run.json").read_text())


def copy_of(index: Path, name: str) -> Path:
    return Path(shutil.copytree(index.parent, index.parents[1] / name)) / "index.parquet"


def damage(index: Path, count: int, split: str = "train") -> list[str]:
    """Flip a bit in the image of the first samples of a split; return their keys."""
    rows = [row for row in read_index(index).to_pylist() if row["split"] == split][:count]
    for row in rows:
        shard = index.parent / row["shard"]
        content = bytearray(shard.read_bytes())
        content[row["offset"] + row["size"] // 2] ^= 1
        shard.chmod(0o644)
        shard.write_bytes(content)
    return [row["key"] for row in rows]

"""The scores behind a metric record, kept so that two encoders can be compared image by image."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from pipeline.records.errors import UserError
from pipeline.records.publish import publish_bytes


@dataclass(frozen=True)
class Scores:
    """Hold what one encoder says about the evaluated images of one benchmark."""

    classes: tuple[str, ...]
    """Names of the C classes."""
    logits: NDArray[np.float32]
    """[N, C] scores, larger for more likely; float32, since coarser numbers tie."""
    labels: NDArray[np.int8]
    """[N, C]: 1 positive, 0 negative, -1 ignored."""
    patients: NDArray[np.int64]
    """[N] codes of the patients, the unit that is resampled; no identifiers."""
    rows: NDArray[np.int64]
    """[N] rows of the corpus's shard index."""


def write_scores(path: Path, scores: Scores) -> None:
    """Publish the scores of a record."""
    arrays = {name: np.ascontiguousarray(getattr(scores, name)) for name in _ARRAYS}
    publish_bytes(path, safetensors.numpy.save(arrays, metadata={"classes": json.dumps(scores.classes)}))


def read_scores(path: Path) -> Scores:
    """Read the scores of a record."""
    with safetensors.safe_open(path, framework="numpy") as stream:
        classes = tuple(json.loads(stream.metadata()["classes"]))
        return Scores(classes, **{name: stream.get_tensor(name) for name in _ARRAYS})


def require_same_images(ours: Scores, control: Scores, benchmark: str) -> None:
    """Raise `UserError` unless both were scored on the same images, labels and classes."""
    same = ours.classes == control.classes and all(
        np.array_equal(getattr(ours, name), getattr(control, name)) for name in ("rows", "labels", "patients")
    )
    if not same:
        raise UserError(
            f"benchmark {benchmark}: the two encoders were scored on different images or labels; "
            "delete both records and run again"
        )


_ARRAYS = ("logits", "labels", "patients", "rows")

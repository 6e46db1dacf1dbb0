"""The feature file: features computed once per (encoder, corpus), and what they were computed from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from pipeline.records.publish import publish_bytes


@dataclass(frozen=True)
class FeatureOrigin:
    """Say what features were computed from."""

    encoder: str
    """Digest of the encoder's weights."""
    index: str
    """Digest of the shard index whose rows the features follow."""
    device: str
    """Where they were computed."""
    decoder: str
    """Name and version of the JPEG decoder."""
    quarantined: int
    """Damaged samples that were set aside while the encoder was trained."""


def write_features(path: Path, features: dict[str, NDArray[np.float32]], origin: FeatureOrigin) -> None:
    """Publish features [N, D], by way of pooling, with their origin."""
    publish_bytes(path, safetensors.numpy.save(features, metadata={"origin": json.dumps(asdict(origin))}))


def read_origin(path: Path) -> FeatureOrigin:
    """Read what a feature file was computed from."""
    with safetensors.safe_open(path, framework="numpy") as stream:
        return FeatureOrigin(**json.loads(stream.metadata()["origin"]))

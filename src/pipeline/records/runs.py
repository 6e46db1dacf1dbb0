"""The record of one training run: what it was made from, and what it made."""

from pydantic import BaseModel, ConfigDict, Field

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BatchRecord(BaseModel):
    """State how the images of the last step were shared out."""

    model_config = _STRICT

    images: int
    """Images of a step, over all devices."""
    device_batch: int
    """Images that a device took at once, at most."""
    accumulation: int
    """Parts in which each device took its share, one after the other."""
    processes: int
    """Processes, one per device, over all nodes."""


class RunRecord(BaseModel):
    """Name inputs, recipe and outputs of a run by their digests."""

    model_config = _STRICT

    run: str
    """Name of the run in the configuration."""
    settings: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the resolved settings, which stand beside this record in `settings.json`."""
    code: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the code of the stage and all it imports."""
    inputs: dict[str, str]
    """Digest of the shard index of each corpus, which holds the digests of its shards, and of the weights it started
    from, if any."""
    images: dict[str, dict[str, int]]
    """Images of the train and val splits, by corpus."""
    quarantined: int = Field(ge=0)
    """Damaged samples that were set aside; `quarantine.jsonl` beside this record names them."""
    encoder: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the published encoder weights."""
    weights: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the published weights of the whole model."""
    steps: int
    """Optimiser steps taken; fewer than planned where the run ended early."""
    batch: BatchRecord
    """How a step's images were shared out."""
    device: str
    """Where its last step was taken; batch, threads and versions, too, are those of that life of the run."""
    decoder: str
    """Name and version of the JPEG decoder; another one may give pixels that differ by a gray level."""
    threads: int
    """CPU threads of the job on each node; equal bytes are promised for equal threads and an equal batch record."""
    versions: dict[str, str]
    """Versions of Python and the packages that shape the numbers."""

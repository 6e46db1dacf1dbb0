"""The one schema of metric records, checked when written and when collected."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from pipeline.records.errors import UserError
from pipeline.records.publish import publish_text

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class MetricValue(_Record):
    """State one number with its 95 % patient-bootstrap interval and what it was computed on."""

    metric: str
    """What was measured: `auroc`, `auprc`, or for a comparison their difference."""
    target: str
    """The class it was measured for, or `macro` for the unweighted mean over classes."""
    value: float
    """The point estimate on the whole evaluated split."""
    low: float
    """2.5th percentile over the patient resamples in which the metric is defined."""
    high: float
    """97.5th percentile over the same resamples."""
    n: int = Field(ge=1)
    """Images scored."""
    n_patients: int = Field(ge=1)
    """Patients those images belong to: the unit that is resampled."""
    positives: int | None = Field(ge=0)
    """Positive images of the class; null for `macro`."""
    undefined_resamples: float = Field(ge=0, le=1)
    """Fraction of resamples left out of the interval since a class had no positive or no negative image."""


class LabelCounts(_Record):
    """Say what a finding's doubtful labels counted as, and how many there were."""

    uncertain: Literal["present", "absent", "ignored"]
    """What a label that says `uncertain` counted as."""
    unknown: Literal["absent", "ignored"]
    """What a finding counted as that the labels do not mention."""
    n_uncertain: int = Field(ge=0)
    """Images of the evaluated split, of a wanted view, that are labelled `uncertain`."""
    n_unknown: int = Field(ge=0)
    """Images of the evaluated split, of a wanted view, whose labels do not mention the finding."""


class Digests(_Record):
    """Name everything a number came from by its sha256."""

    encoder: str = Sha256
    """The encoder's published weights."""
    control: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    """The control's published weights, for a comparison; null otherwise."""
    manifest: str = Sha256
    """The manifest file of the evaluated corpus."""
    features: str = Sha256
    """The feature file the probe was fitted on."""
    settings: str = Sha256
    """The settings in the record."""
    code: str = Sha256
    """The code of this evaluation."""


class MetricRecord(_Record):
    """Hold every number of one (benchmark, encoder, protocol) with its provenance."""

    kind: Literal["metrics", "comparison"]
    """`metrics` of one encoder, or a paired `comparison` (encoder minus control, same resamples)."""
    benchmark: str
    corpus: str
    split: Literal["train", "val", "test"]
    encoder: str
    control: str | None
    """The encoder that was subtracted, for a comparison; null otherwise."""
    protocol: str
    control_protocol: str | None
    """The protocol the control was scored under, for a comparison; null otherwise."""
    fraction: float = Field(gt=0, le=1)
    """Fraction of the training patients the protocol saw."""
    seed: int
    """Seed of the draw of the training patients; the bootstrap's own is in `settings`."""
    regularisation: dict[str, float]
    """The penalty chosen on validation, per class."""
    n_train: int
    """Images the protocol was fitted on."""
    quarantined: int = Field(ge=0)
    """Damaged samples that were set aside while the encoder, and the control it is compared with, were trained; none
    are while features are extracted."""
    excluded: dict[str, int]
    """Images of the evaluated split that do not take part, by reason."""
    labels: dict[str, LabelCounts] = Field(default_factory=dict)
    """How each finding's labels were read; empty where what is predicted is no finding."""
    values: list[MetricValue]
    settings: dict[str, JsonValue]
    """The resolved settings of benchmark, probe and bootstrap; `digests.settings` is their digest."""
    digests: Digests
    versions: dict[str, str]
    device: str
    """Where the encoder and the probe ran."""
    decoder: str
    """Name and version of the JPEG decoder that read the images; another one may differ by a gray level."""


def write_metric_record(path: Path, record: MetricRecord) -> None:
    """Publish a validated record as indented JSON; equal records give equal bytes."""
    publish_text(path, record.model_dump_json(indent=2) + "\n")


def read_metric_record(path: Path) -> MetricRecord:
    """Read and validate a record. Raises `UserError` naming the file and the first field that is wrong."""
    try:
        return MetricRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path} is not a metric record: field '{field}': {first['msg']}; delete the file and run again."
        ) from error

"""Stage of rule compare_encoders: an encoder minus a control, on the same resamples of the same patients."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.evaluation.intervals import compare_scores
from pipeline.evaluation.scores import read_scores, require_same_images
from pipeline.records.metrics import MetricRecord, read_metric_record, write_metric_record
from pipeline.records.versions import EVALUATION_PACKAGES, package_versions
from pipeline.settings.probes import BootstrapSettings


@dataclass(frozen=True)
class Evaluated:
    """Name the two files an evaluation left."""

    record: Path
    scores: Path


def compare_encoders(
    ours: Evaluated, control: Evaluated, bootstrap: BootstrapSettings, code: str, record: Path
) -> None:
    """Publish the paired differences of two encoders on one benchmark.

    Args:
        ours: The encoder's record and scores.
        control: The control's record and scores.
        bootstrap: How patients are resampled.
        code: Digest of the stage's code.
        record: Comparison record to publish.

    Raises:
        UserError: The two were not scored on the same images.
    """
    base, other = read_metric_record(ours.record), read_metric_record(control.record)
    mine, theirs = read_scores(ours.scores), read_scores(control.scores)
    require_same_images(mine, theirs, base.benchmark)
    values = compare_scores(mine.logits, theirs.logits, mine.labels, mine.classes, mine.patients, bootstrap)
    digests = base.digests.model_copy(update={"control": other.digests.encoder, "code": code})
    fields = dict(base) | {
        "kind": "comparison",
        "control": other.encoder,
        "control_protocol": other.protocol,
        "quarantined": base.quarantined + other.quarantined,
        "values": values,
        "digests": digests,
        "versions": package_versions(EVALUATION_PACKAGES),
    }
    write_metric_record(record, MetricRecord(**fields))

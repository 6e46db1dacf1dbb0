"""AUROC and AUPRC of every class with patient-bootstrap intervals, alone or as a paired difference."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.ranks import RankStatistics, rank, refuse_one_sided, refuse_unrankable
from pipeline.evaluation.resampling import chunked_patient_counts, patient_codes
from pipeline.records.errors import UserError
from pipeline.records.metrics import MetricValue
from pipeline.settings.probes import BootstrapSettings

Scores = NDArray[np.float32]
Labels = NDArray[np.int8]
Estimates = NDArray[np.float64]


def evaluate_scores(
    scores: Scores,
    labels: Labels,
    classes: Sequence[str],
    patients: NDArray[np.generic],
    bootstrap: BootstrapSettings,
) -> list[MetricValue]:
    """Return `auroc` and `auprc` of each class and their unweighted mean, `macro`, with 95 % intervals.

    Scores are [N, C]; labels [N, C] are 1 (positive), 0 (negative) or -1 (left out of that class);
    patients [N] name each image's patient. Intervals are the percentiles of the resamples in which the
    metric is defined; for `macro`, in which it is for every class. Raises `UserError` for a class
    without a positive or negative image, and for scores that cannot be ranked.
    """
    split = _EvaluatedSplit(labels, classes, patients)
    refuse_one_sided(labels, classes, "evaluated")
    return _values(split, "", _estimates(scores, split, bootstrap))


def compare_scores(
    ours: Scores,
    control: Scores,
    labels: Labels,
    classes: Sequence[str],
    patients: NDArray[np.generic],
    bootstrap: BootstrapSettings,
) -> list[MetricValue]:
    """Return `auroc_difference` and `auprc_difference`, ours minus control, resample by resample.

    Both encoders are scored on the same images and the same resamples, so what they share cancels.
    Arguments and errors are those of `evaluate_scores`.
    """
    split = _EvaluatedSplit(labels, classes, patients)
    refuse_one_sided(labels, classes, "evaluated")
    differences = _estimates(ours, split, bootstrap) - _estimates(control, split, bootstrap)
    return _values(split, "_difference", differences)


class _EvaluatedSplit(NamedTuple):
    labels: Labels
    classes: Sequence[str]
    patients: NDArray[np.generic]


def _estimates(scores: Scores, split: _EvaluatedSplit, bootstrap: BootstrapSettings) -> Estimates:
    """Return [2, 1 + R, C + 1]: auroc and auprc; the whole split, then its resamples; classes, then macro."""
    if scores.shape != split.labels.shape:
        raise ValueError(f"scores are {scores.shape}, labels {split.labels.shape}; both must be [N, C]")
    refuse_unrankable(scores)
    units, n_units = patient_codes(split.patients)
    rankings = []
    for score, label in zip(scores.T, split.labels.T, strict=True):
        known = label >= 0
        rankings.append(rank(score[known], label[known] == 1, units[known], n_units))

    def statistics(weights: NDArray[np.float64]) -> list[RankStatistics]:
        return [ranking.statistics(weights) for ranking in rankings]

    chunks = [statistics(np.ones((n_units, 1)))]
    for counts in chunked_patient_counts(n_units, bootstrap.resamples, bootstrap.seed):
        chunks.append(statistics(counts.astype(np.float64)))
    per_class = np.concatenate(chunks, axis=2).transpose(1, 2, 0)
    return np.concatenate([per_class, per_class.mean(axis=2, keepdims=True)], axis=2)


def _values(split: _EvaluatedSplit, suffix: str, estimates: Estimates) -> list[MetricValue]:
    values = []
    for metric, of_metric in zip(("auroc", "auprc"), estimates, strict=True):
        for column, of_target in enumerate(of_metric.T):
            values.append(_value(split, column, metric + suffix, of_target))
    return values


def _value(split: _EvaluatedSplit, column: int, metric: str, estimates: Estimates) -> MetricValue:
    macro = column == len(split.classes)
    labels = split.labels if macro else split.labels[:, [column]]
    target = "macro" if macro else split.classes[column]
    scored = (labels >= 0).any(axis=1)
    low, high, undefined = _interval(target, estimates[1:])
    return MetricValue(
        metric=metric,
        target=target,
        value=float(estimates[0]),
        low=low,
        high=high,
        n=int(scored.sum()),
        n_patients=len(np.unique(split.patients[scored])),
        positives=None if macro else int((labels == 1).sum()),
        undefined_resamples=undefined,
    )


def _interval(target: str, resampled: Estimates) -> tuple[float, float, float]:
    defined = resampled[~np.isnan(resampled)]
    if not defined.size:
        raise UserError(
            f"None of {len(resampled)} resamples holds a positive and a negative image for '{target}' "
            "('macro': for every class); evaluate more patients, or leave out the rarest class."
        )
    low, high = np.percentile(defined, (2.5, 97.5))
    return float(low), float(high), 1 - len(defined) / len(resampled)

"""Every number has the interval a loop over scikit-learn gives on the same patient resamples."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.evaluation.intervals import compare_scores, evaluate_scores
from pipeline.evaluation.resampling import patient_weights
from pipeline.records.errors import UserError
from pipeline.records.metrics import MetricValue
from pipeline.settings.probes import BootstrapSettings

CLASSES = ("edema", "mass", "hernia")
PREVALENCE = np.array([0.4, 0.2, 0.03])
BOOTSTRAP = BootstrapSettings(resamples=100, seed=3)
SKLEARN = {"auroc": roc_auc_score, "auprc": average_precision_score}


def cohort(seed: int, images: int = 300, patients: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw two encoders' scores (rounded, so that they tie), labels with unknowns, and patients."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(patients, size=images)
    severity = rng.standard_normal((patients, 3))[patient] + rng.standard_normal((images, 3))
    labels = (severity > np.quantile(severity, 1 - PREVALENCE, axis=0).diagonal()).astype(np.int8)
    labels[rng.random((images, 3)) < 0.1] = -1
    ours, control = (severity + noise * rng.standard_normal((images, 3)) for noise in (1.0, 2.0))
    return ours.round(1).astype(np.float32), control.round(1).astype(np.float32), labels, patient


def looped(metric: str, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the metric of each class and macro under each weighting, [R, C + 1], as scikit-learn has it."""
    table = np.full((len(weights), 4), np.nan)
    for row, weight in enumerate(weights):
        for column in range(3):
            images = np.repeat(np.arange(len(weight)), weight)
            images = images[labels[images, column] >= 0]
            truth = labels[images, column]
            if truth.min() < truth.max():
                table[row, column] = SKLEARN[metric](truth, scores[images, column])
        table[row, 3] = table[row, :3].mean()
    return table


def rows(values: list[MetricValue]) -> np.ndarray:
    return np.array([[v.value, v.low, v.high, v.undefined_resamples] for v in values])


def expected(point: np.ndarray, resampled: np.ndarray) -> np.ndarray:
    low, high = np.nanpercentile(resampled, [2.5, 97.5], axis=0)
    return np.stack([point[0], low, high, np.isnan(resampled).mean(axis=0)], axis=1)


def test_values_and_intervals_equal_a_loop_over_scikit_learn() -> None:
    scores, _, labels, patients = cohort(0)
    weights = patient_weights(patients, BOOTSTRAP.resamples, BOOTSTRAP.seed)
    values = evaluate_scores(scores, labels, CLASSES, patients, BOOTSTRAP)
    assert [(v.metric, v.target) for v in values] == [(m, t) for m in SKLEARN for t in (*CLASSES, "macro")]
    for metric, ours in zip(SKLEARN, np.split(rows(values), 2), strict=True):
        point = looped(metric, scores, labels, np.ones((1, len(scores)), int))
        oracle = expected(point, looped(metric, scores, labels, weights))
        np.testing.assert_allclose(ours, oracle, rtol=0, atol=1e-12)


def test_differences_are_paired_resample_by_resample() -> None:
    scores, control, labels, patients = cohort(1)
    weights = patient_weights(patients, BOOTSTRAP.resamples, BOOTSTRAP.seed)
    everyone = np.ones((1, len(scores)), int)
    values = compare_scores(scores, control, labels, CLASSES, patients, BOOTSTRAP)
    for metric, ours in zip(SKLEARN, np.split(rows(values), 2), strict=True):
        point, resampled = (
            looped(metric, scores, labels, table) - looped(metric, control, labels, table)
            for table in (everyone, weights)
        )
        np.testing.assert_allclose(ours, expected(point, resampled), rtol=0, atol=1e-12)
    assert [v.metric for v in values] == ["auroc_difference"] * 4 + ["auprc_difference"] * 4


def test_the_difference_of_an_encoder_to_itself_is_exactly_zero() -> None:
    scores, _, labels, patients = cohort(2)
    values = compare_scores(scores, scores.copy(), labels, CLASSES, patients, BOOTSTRAP)
    assert not rows(values)[:, :3].any()


def test_what_was_scored_is_counted_per_class() -> None:
    scores, _, labels, patients = cohort(3)
    labels[patients == patients[0]] = -1
    edema, *_, macro = evaluate_scores(scores, labels, CLASSES, patients, BOOTSTRAP)[:4]
    assert (edema.n, edema.positives) == ((labels[:, 0] >= 0).sum(), (labels[:, 0] == 1).sum())
    assert edema.n_patients == len(np.unique(patients[labels[:, 0] >= 0]))
    assert (macro.n, macro.positives) == ((labels >= 0).any(axis=1).sum(), None)
    assert macro.n_patients == len(np.unique(patients)) - 1


def test_resamples_without_a_rare_class_are_left_out_and_counted() -> None:
    scores, _, labels, patients = cohort(4)
    labels[:, 2] = 0
    labels[patients == patients[0], 2] = 1
    hernia = evaluate_scores(scores, labels, CLASSES, patients, BOOTSTRAP)[2]
    absent = (patient_weights(patients, BOOTSTRAP.resamples, BOOTSTRAP.seed)[:, 0] == 0).mean()
    assert hernia.undefined_resamples == pytest.approx(absent)
    assert 0.2 < absent < 0.5


def test_a_class_without_positives_is_named_and_never_dropped_from_the_mean() -> None:
    scores, control, labels, patients = cohort(5)
    labels[labels[:, 1] == 1, 1] = -1
    with pytest.raises(UserError, match="'mass' has no positive image in the evaluated split"):
        evaluate_scores(scores, labels, CLASSES, patients, BOOTSTRAP)
    with pytest.raises(UserError, match="'mass' has no positive image"):
        compare_scores(scores, control, labels, CLASSES, patients, BOOTSTRAP)


def test_a_macro_mean_that_no_resample_defines_is_an_error() -> None:
    patients, labels = np.arange(12), np.eye(12, dtype=np.int8)
    scores = np.random.default_rng(0).random((12, 12), dtype=np.float32)
    with pytest.raises(UserError, match=r"None of 100 resamples.*'macro'"):
        evaluate_scores(scores, labels, [f"class {k}" for k in range(12)], patients, BOOTSTRAP)


def test_unlike_shapes_are_refused() -> None:
    scores, _, labels, patients = cohort(6)
    with pytest.raises(ValueError, match=r"\(300, 2\)"):
        evaluate_scores(scores[:, :2], labels, CLASSES, patients, BOOTSTRAP)


def test_intervals_hold_the_true_auroc_about_95_times_in_100_though_images_of_a_patient_are_alike() -> None:
    rng = np.random.default_rng(7)
    truth, trials, held, image_held = 0.7602, 150, 0, 0  # Phi(1 / sqrt(2))
    for _ in range(trials):
        patient = np.arange(480) // 8
        sick = np.arange(480) // 8 % 3 == 0
        shared = rng.standard_normal(60)[patient]
        scores = (0.9 * shared + np.sqrt(0.19) * rng.standard_normal(480) + sick).astype(np.float32)
        labels = sick[:, None].astype(np.int8)
        value = evaluate_scores(scores[:, None], labels, ["sick"], patient, BOOTSTRAP)[0]
        image = evaluate_scores(scores[:, None], labels, ["sick"], np.arange(480), BOOTSTRAP)[0]
        held += value.low <= truth <= value.high
        image_held += image.low <= truth <= image.high
    assert 0.87 <= held / trials <= 0.99
    assert image_held / trials < 0.7

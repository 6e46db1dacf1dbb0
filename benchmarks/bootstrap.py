"""Patient-bootstrap intervals of a whole benchmark, against the loop over scikit-learn one would write.

Both do the same statistics on the same 1,000 patient resamples of a table with the size, class counts
and clustering of the official ChestX-ray14 test set (25,596 images, 2,797 patients, 14 classes; spec
performance, P7). Ours is `evaluate_scores` from arrays to records: drawing the resamples, AUROC and AUPRC
in the same pass, macro means and percentiles. The peer computes one metric at a time, on fewer resamples,
and its time is scaled up linearly. One thread, processor time, medians of interleaved rounds.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import average_precision_score, roc_auc_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.frame import Measure, interleaved, less_is_better
from pipeline.evaluation.intervals import evaluate_scores
from pipeline.evaluation.ranks import rank
from pipeline.evaluation.resampling import patient_codes, patient_counts, patient_weights
from pipeline.settings.probes import BootstrapSettings

POSITIVES = {
    "Atelectasis": 3279,
    "Cardiomegaly": 1069,
    "Effusion": 4658,
    "Infiltration": 6112,
    "Mass": 1748,
    "Nodule": 1623,
    "Pneumonia": 555,
    "Pneumothorax": 2665,
    "Consolidation": 1815,
    "Edema": 925,
    "Emphysema": 1093,
    "Fibrosis": 435,
    "Pleural_Thickening": 1143,
    "Hernia": 86,
}
IMAGES, PATIENTS = 25_596, 2_797
BOOTSTRAP = BootstrapSettings(resamples=1000, seed=0)
PEER_RESAMPLES = 20
ROUNDS = 3
AGREEMENT = 1e-12
METRICS = {"AUROC": roc_auc_score, "AUPRC": average_precision_score}

Floats = NDArray[np.float64]


def run() -> list[Measure]:
    """Check that both sides agree on the same resamples, then time them."""
    scores, labels, patients = draw_test_set()
    weights = patient_weights(patients, PEER_RESAMPLES, BOOTSTRAP.seed)
    loops = [partial(loop, metric, scores, labels, weights) for metric in METRICS.values()]
    ours = partial(evaluate_scores, scores, labels, list(POSITIVES), patients, BOOTSTRAP)
    with threadpool_limits(1):
        check_agreement(scores, labels, patients, [task() for task in loops])
        seconds, *peers = interleaved([ours, *loops], ROUNDS)
    peers = [peer * BOOTSTRAP.resamples / PEER_RESAMPLES for peer in peers]
    rows = {**dict(zip(METRICS, peers, strict=True)), "AUROC and AUPRC": sum(peers)}
    return [
        less_is_better(
            f"{name}, {BOOTSTRAP.resamples} resamples (peer: {PEER_RESAMPLES}, scaled)",
            seconds,
            theirs,
            "scikit-learn loop",
            "CPU-s",
        )
        for name, theirs in rows.items()
    ]


def draw_test_set() -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.intp]]:
    """Draw scores [N, C], labels [N, C] and patients [N]; findings cluster in patients, as they do there."""
    rng = np.random.Generator(np.random.Philox(key=0))
    share = rng.lognormal(sigma=1.0, size=PATIENTS)
    patients = np.concatenate([np.arange(PATIENTS), rng.choice(PATIENTS, IMAGES - PATIENTS, p=share / share.sum())])
    severity = rng.standard_normal((PATIENTS, len(POSITIVES)))[patients]
    severity += rng.standard_normal((IMAGES, len(POSITIVES)))
    places = (-severity).argsort(axis=0).argsort(axis=0)
    scores = severity + 1.5 * rng.standard_normal(severity.shape)
    return scores.astype(np.float32), (places < list(POSITIVES.values())).astype(np.int8), patients


def loop(
    metric: Callable[..., Floats],
    scores: NDArray[np.float32],
    labels: NDArray[np.int8],
    weights: NDArray[np.uint8],
) -> Floats:
    """Compute a scikit-learn metric of every class on every resample, [R, C]."""
    values = []
    for weight in weights:
        images = np.repeat(np.arange(len(weight)), weight)
        values.append(metric(labels[images], scores[images], average=None))
    return np.stack(values)


def check_agreement(
    scores: NDArray[np.float32], labels: NDArray[np.int8], patients: NDArray[np.intp], theirs: list[Floats]
) -> None:
    """Print the largest difference to the peer on the same resamples; too large a one ends the benchmark."""
    codes, n_patients = patient_codes(patients)
    counts = patient_counts(n_patients, range(PEER_RESAMPLES), BOOTSTRAP.seed).astype(np.float64)
    ours = [
        rank(score, label == 1, codes, n_patients).statistics(counts)
        for score, label in zip(scores.T, labels.T, strict=True)
    ]
    for name, of_metric, oracle in zip(METRICS, zip(*ours, strict=True), theirs, strict=True):
        difference = float(np.abs(np.stack(of_metric, axis=1) - oracle).max())
        Console().print(f"{name}: largest difference on the same resamples {difference:.1e}")
        if difference > AGREEMENT:
            raise ArithmeticError(f"{name} differs from scikit-learn by {difference:.1e}; the timing means nothing")

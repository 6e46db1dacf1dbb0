"""Ridge regression on targets -1 and +1, in closed form for a whole penalty path."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.spectrum import Heads

Floats = NDArray[np.float64]


def fit_ridge(coordinates: Floats, variances: Floats, labels: NDArray[np.int8], penalties: Sequence[float]) -> Heads:
    """Minimise, per class and penalty, mean squared error + penalty * |weights|^2; the intercept is free.

    Coordinates [N, J] and their variances [J] come from a `Spectrum`; labels [N, C] are 1, 0, or -1 for
    images that take no part in that class. Classes that leave out the same images share one
    decomposition, and those that leave out none need none.
    """
    weights = np.empty((len(penalties), coordinates.shape[1], labels.shape[1]))
    intercepts = np.empty((len(penalties), labels.shape[1]))
    patterns, pattern_of_class = np.unique(labels >= 0, axis=1, return_inverse=True)
    for pattern, known in enumerate(patterns.T):
        columns = np.flatnonzero(pattern_of_class == pattern)
        targets = 2.0 * labels[np.ix_(known, columns)] - 1
        if known.all():
            heads = _solve(coordinates, targets, variances, np.eye(len(variances)), penalties)
        else:
            subset = coordinates[known]
            heads = _solve(subset, targets, *np.linalg.eigh(np.cov(subset.T, bias=True)), penalties)
        weights[:, :, columns], intercepts[:, columns] = heads
    return Heads(weights, intercepts)


def _solve(coordinates: Floats, targets: Floats, variances: Floats, axes: Floats, penalties: Sequence[float]) -> Heads:
    """Solve where the covariance of the coordinates is axes @ diag(variances) @ axes.T."""
    target_means, means = targets.mean(axis=0), coordinates.mean(axis=0)
    covariance = axes.T @ (coordinates - means).T @ (targets - target_means) / len(targets)
    weights = np.stack([axes @ (covariance / (variances + penalty)[:, None]) for penalty in penalties])
    return Heads(weights, target_means - means @ weights)

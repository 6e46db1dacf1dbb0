"""The basis both probes are solved in: the principal axes of the standardised training features."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROWS = 8192  # images converted to float64 at a time


class Heads(NamedTuple):
    """Hold linear heads on coordinates in the basis, for each of L penalties (increasing) and C classes."""

    weights: NDArray[np.float64]
    """[L, J, C]"""
    intercepts: NDArray[np.float64]
    """[L, C]"""


@dataclass(frozen=True)
class Spectrum:
    """Hold how raw features [N, D] become coordinates [N, J] that are uncorrelated on the training images."""

    mean: NDArray[np.float64]
    """[D], of the training images."""
    axes: NDArray[np.float64]
    """[D, J], standardisation included: the coordinates are (features - mean) @ axes."""
    variances: NDArray[np.float64]
    """[J], of the coordinates over the training images, all above 0 and increasing."""

    def coordinates(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Project raw features [N, D] onto the axes: [N, J]."""
        projected = np.empty((len(features), self.axes.shape[1]))
        for rows in row_blocks(len(features)):
            projected[rows] = (features[rows] - self.mean) @ self.axes
        return projected


def decompose(features: NDArray[np.floating]) -> Spectrum:
    """Standardise training features [N, D] to mean 0 and deviation 1, and find their principal axes.

    A feature with one and the same value in all training images becomes 0 everywhere, here and in
    other splits. Directions without variance beyond rounding are dropped: an L2 penalty gives them
    weight 0. Everything is computed in float64, a block of rows at a time.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    for rows in row_blocks(len(features)):
        centred = features[rows] - mean
        covariance += centred.T @ centred / len(features)
    deviation = np.sqrt(np.diag(covariance))
    varies = features.max(axis=0) > features.min(axis=0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(mean), where=varies)
    variances, axes = np.linalg.eigh(covariance * np.outer(scale, scale))
    kept = variances > variances[-1] * len(mean) * np.finfo(np.float64).eps
    return Spectrum(mean, scale[:, None] * axes[:, kept], variances[kept])


def row_blocks(rows: int) -> Iterator[slice]:
    """Yield slices that cover the rows in order."""
    return (slice(start, start + ROWS) for start in range(0, rows, ROWS))

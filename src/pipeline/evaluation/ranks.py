"""Exact weighted AUROC and average precision, ties included, for many weightings from one sort.

Both statistics only ask how much weight of negatives lies above, at and below each positive. So the
images are cut, once, into segments at the distinct scores of the positives; a weighting then costs one
sparse product and one cumulative sum over the segments, however it weighs the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pipeline.records.errors import UserError


class RankStatistics(NamedTuple):
    """Hold both statistics of one class, each [R]; NaN where no positive or no negative has weight."""

    auroc: NDArray[np.float64]
    """Chance that a positive scores above a negative, ties counting half (Mann-Whitney)."""
    auprc: NDArray[np.float64]
    """Average precision: the sum over thresholds of precision times gain in recall, without interpolation."""


@dataclass(frozen=True)
class Ranking:
    """Hold the images of one class, cut at the K distinct scores of its positives, from high to low.

    An image's weight is that of its unit (its patient, or itself), of which there are U; each matrix
    counts the images of each unit.
    """

    positives: csr_array
    """[K, U], sparse: positives at each cut."""
    negatives: csr_array
    """[K + 1, U], sparse: negatives from each cut, included, up to the one above; last, those below all."""
    ties: csr_array
    """[K, U], sparse: negatives exactly at each cut."""

    def statistics(self, unit_weights: NDArray[np.float64]) -> RankStatistics:
        """Compute both statistics under each weighting of the units, [U, R].

        With whole-number weights every sum is exact, and one division per term the only rounding.
        """
        positive = self.positives @ unit_weights
        above = np.cumsum(self.negatives @ unit_weights, axis=0)
        n_positive, n_negative, above = positive.sum(axis=0), above[-1], above[:-1]
        beaten = n_negative - above
        if self.ties.nnz:
            beaten += 0.5 * (self.ties @ unit_weights)
        found = np.cumsum(positive, axis=0)
        precision = np.divide(found, found + above, out=np.zeros_like(found), where=found > 0)
        return RankStatistics(
            auroc=_ratio(_dot(positive, beaten), n_positive * n_negative),
            auprc=_ratio(_dot(positive, precision), np.where(n_negative > 0, n_positive, 0)),
        )


def rank(scores: NDArray[np.floating], positive: NDArray[np.bool_], units: NDArray[np.intp], n_units: int) -> Ranking:
    """Sort one class's images once. `scores`, `positive` and `units` (0 … n_units - 1) are [N].

    Scores are compared exactly as they are. Raises `UserError` for scores that cannot be ranked.
    """
    refuse_unrankable(scores)
    cuts = np.unique(-scores[positive])
    segment = np.searchsorted(cuts, -scores)
    tied = ~positive & (np.append(cuts, np.nan)[segment] == -scores)

    def count(chosen: NDArray[np.bool_], rows: int) -> csr_array:
        entries = np.ones(np.count_nonzero(chosen)), (segment[chosen], units[chosen])
        return csr_array(entries, shape=(rows, n_units))

    return Ranking(count(positive, len(cuts)), count(~positive, len(cuts) + 1), count(tied, len(cuts)))


def rank_statistics(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], weights: NDArray[np.generic]
) -> RankStatistics:
    """Compute both statistics of one class, `scores` and `positive` [N], under each row of weights [R, N].

    Weights are at least 0. Raises `UserError` for scores that cannot be ranked.
    """
    images = np.arange(len(scores))
    return rank(scores, positive, images, len(images)).statistics(weights.T.astype(np.float64, order="C"))


def refuse_unrankable(scores: NDArray[np.generic]) -> None:
    """Raise `UserError` for scores that are not finite, or of a type other than float32 and float64.

    In 16 bits scores that differ become equal, which moved AUROC by 1.5 points (spec performance, finding 6).
    """
    if scores.dtype not in (np.float32, np.float64):
        raise UserError(f"Scores are {scores.dtype}, not float32 or float64, and rounding makes ties; pass float32.")
    if not (finite := np.isfinite(scores)).all():
        raise UserError(
            f"{np.count_nonzero(~finite)} of {scores.size} scores are NaN or infinite, the first in row "
            f"{np.argwhere(~finite)[0][0]}; look for a diverged model or unreadable images."
        )


def refuse_one_sided(labels: NDArray[np.int8], classes: Sequence[str], split: str) -> None:
    """Raise `UserError` naming the first class without a positive (1) or a negative (0) in labels [N, C]."""
    for name, label in zip(classes, labels.T, strict=True):
        for value, kind in ((1, "positive"), (0, "negative")):
            if not (label == value).any():
                raise UserError(
                    f"Class '{name}' has no {kind} image in the {split} split; leave the class out of the "
                    "benchmark, or use more patients."
                )


def _dot(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("kr,kr->r", left, right))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)

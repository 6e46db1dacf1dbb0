"""Percentiles of laboratory values: an empirical distribution per item, fitted on the train split (spec PaCX 1.3)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Percentiles:
    """Hold laboratory values as an encoder takes them."""

    values: npt.NDArray[np.float32]
    """[rows, items], 0 to 1; the train mean of the item where it was not measured."""
    observed: npt.NDArray[np.bool_]
    """[rows, items]; true where the item was measured (the publisher calls this array `missingness`)."""


@dataclass(frozen=True)
class LabScale:
    """Map values to percentiles by the right-continuous empirical distribution of each item."""

    steps: tuple[Doubles, ...]
    """For each item its train values in ascending order, without those not measured."""
    means: Doubles
    """[items] mean percentile in train; 0.5 for an item that train never measured."""

    @classmethod
    def fit(cls, values: npt.ArrayLike) -> "LabScale":
        """Fit on the train split, [rows, items] with NaN where an item was not measured."""
        columns = np.asarray(values, np.float64).T
        steps = tuple(np.sort(column[~np.isnan(column)]) for column in columns)
        means = [_share_up_to(step, step).mean() if len(step) else 0.5 for step in steps]
        return cls(steps, np.array(means))

    def transform(self, values: npt.ArrayLike) -> Percentiles:
        """Return the percentiles of [rows, items] with NaN where an item was not measured.

        An item that train never measured has no distribution and counts as not measured.
        """
        raw = np.asarray(values, np.float64)
        observed = ~np.isnan(raw) & np.array([len(step) > 0 for step in self.steps])
        percentiles = np.tile(self.means, (len(raw), 1))
        for item, step in enumerate(self.steps):
            percentiles[observed[:, item], item] = _share_up_to(step, raw[observed[:, item], item])
        return Percentiles(percentiles.astype(np.float32), observed)


def _share_up_to(step: Doubles, values: Doubles) -> Doubles:
    """Return the share of `step`, sorted, that is at most each value."""
    share: Doubles = np.searchsorted(step, values, side="right") / len(step)
    return share

"""Laboratory values as Symile-MIMIC publishes them: values, percentiles and what was measured (spec PaCX 1.3).

The percentiles come from scipy, so that a tree is a check on the pipeline's own, not a copy of them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import ecdf

from pipeline.sources.labs.items import LAB_ITEMS

Measured = Mapping[str, float]


def percentile_tables(
    parts: Mapping[str, Sequence[Measured]],
) -> tuple[dict[str, list[dict[str, float]]], dict[str, float]]:
    """Return each part's percentiles by item, of what was measured only, and the mean of each item in `train`.

    An item that `train` lacks has no percentile anywhere; its mean is 0.5.
    """
    known = {item: [row[item] for row in parts["train"] if item in row] for item in LAB_ITEMS}
    scale = {item: ecdf(values).cdf for item, values in known.items() if values}
    percentiles = {
        part: [{item: float(scale[item].evaluate(row[item])) for item in row if item in scale} for row in rows]
        for part, rows in parts.items()
    }
    train = percentiles["train"]
    means = {item: float(np.mean([row[item] for row in train if item in row])) for item in scale}
    return percentiles, {item: means.get(item, 0.5) for item in LAB_ITEMS}


def percentile_arrays(
    labs: Sequence[Measured], percentiles: Sequence[Measured], means: Mapping[str, float]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the arrays `labs_percentiles` and `labs_missingness`, [rows, 50]; in the latter 1 is measured."""
    values = [[row.get(item, means[item]) for item in LAB_ITEMS] for row in percentiles]
    measured = [[int(item in row) for item in LAB_ITEMS] for row in labs]
    shape = (len(labs), len(LAB_ITEMS))
    return np.array(values, np.float32).reshape(shape), np.array(measured, np.int64).reshape(shape)

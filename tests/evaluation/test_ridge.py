"""Ridge probes are scikit-learn's, with and without images left out."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from pipeline.evaluation.ridge import fit_ridge
from pipeline.evaluation.spectrum import decompose

PENALTIES = (1e-6, 1e-3, 1.0, 100.0)


@pytest.mark.parametrize(("images", "width"), [(300, 20), (40, 60)])
@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_predictions_equal_scikit_learn_along_the_path(images: int, width: int, unknown: float) -> None:
    rng = np.random.default_rng(width)
    features = rng.standard_normal((images, width)) @ rng.standard_normal((width, width)) + 3
    labels = rng.integers(0, 2, (images, 3)).astype(np.int8)
    labels[:, 1:][rng.random((images, 2)) < unknown] = -1
    spectrum = decompose(features)
    coordinates = spectrum.coordinates(features)
    heads = fit_ridge(coordinates, spectrum.variances, labels, PENALTIES)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    for level, penalty in enumerate(PENALTIES):
        for column in range(3):
            known = labels[:, column] >= 0
            oracle = Ridge(alpha=penalty * known.sum(), solver="svd")
            oracle.fit(standardised[known], 2.0 * labels[known, column] - 1)
            ours = coordinates @ heads.weights[level, :, column] + heads.intercepts[level, column]
            np.testing.assert_allclose(ours, oracle.predict(standardised), atol=1e-8)

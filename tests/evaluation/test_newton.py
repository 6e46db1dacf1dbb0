import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.evaluation.logistic import fit_logistic
from pipeline.evaluation.newton import LogisticProblem, newton
from pipeline.evaluation.spectrum import decompose
from pipeline.settings.probes import LinearProbeSettings


def separable(images: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((images, width)) @ generator.standard_normal((width, width)) ** 3
    return features, features[:, 0] > np.median(features[:, 0])


def test_the_solution_is_scikit_learns() -> None:
    features, positive = separable(120, 8)
    design = np.hstack([features, np.ones((120, 1))])
    problem = LogisticProblem(design, positive, np.full(120, 1 / 120), np.append(np.full(8, 0.1), 0.0))
    found = newton(problem, np.zeros(9), steps=50)
    oracle = LogisticRegression(C=1 / (0.1 * 120), tol=1e-12, solver="newton-cholesky").fit(features, positive)
    np.testing.assert_allclose(found, np.append(oracle.coef_[0], oracle.intercept_), rtol=1e-6, atol=1e-9)
    assert np.linalg.norm(problem.gradient(found)) < 1e-12


@pytest.mark.parametrize("penalty", [1e-7, 1e-5])
def test_classes_that_a_plane_separates_converge_under_a_small_penalty(penalty: float) -> None:
    features, positive = separable(130, 128)
    spectrum = decompose(features)
    settings = LinearProbeSettings(kind="linear_probe", penalties=(penalty,))
    labels = positive.astype(np.int8)[:, np.newaxis]
    heads = fit_logistic(spectrum.coordinates(features), spectrum.variances, labels, ["view=AP"], settings)
    logits = spectrum.coordinates(features) @ heads.weights[0] + heads.intercepts[0]
    assert ((logits[:, 0] > 0) == positive).all()

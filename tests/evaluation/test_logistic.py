"""Logistic probes are the ones scikit-learn converges to, whatever the features look like."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pipeline.evaluation.logistic import fit_logistic
from pipeline.evaluation.spectrum import decompose
from pipeline.records.errors import UserError
from pipeline.settings.probes import LinearProbeSettings

SETTINGS = LinearProbeSettings(kind="linear_probe", penalties=(1e-4, 1e-2, 1.0), tolerance=1e-7)
CLASSES = ("edema", "mass", "hernia")


def features_and_labels(images: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw correlated features of unlike scale, and labels of prevalence .4, .2 and .03 with unknowns."""
    rng = np.random.default_rng(images)
    mixing = rng.standard_normal((width, width)) * np.geomspace(1, 1e-3, width)
    features = (rng.standard_normal((images, width)) @ mixing.T + 5) * np.geomspace(0.1, 100, width)
    liability = rng.standard_normal((images, width)) @ rng.standard_normal((width, 3)) / np.sqrt(width)
    liability += (features - features.mean(axis=0)) / features.std(axis=0) @ rng.standard_normal((width, 3)) / width
    cuts = np.quantile(liability, [0.6, 0.8, 0.97], axis=0).diagonal()
    labels = (liability > cuts).astype(np.int8)
    labels[rng.random((images, 3)) < 0.1] = -1
    return features.astype(np.float32), labels


@pytest.mark.parametrize(("images", "width"), [(600, 30), (60, 100)])
def test_probabilities_and_weights_equal_scikit_learn_along_the_path(images: int, width: int) -> None:
    features, labels = features_and_labels(images, width)
    spectrum = decompose(features)
    heads = fit_logistic(spectrum.coordinates(features), spectrum.variances, labels, CLASSES, SETTINGS)
    standardised = (features - features.mean(axis=0, dtype=float)) / features.std(axis=0, dtype=float)
    axes = spectrum.axes * features.std(axis=0, dtype=float)[:, None]
    for level, penalty in enumerate(SETTINGS.penalties):
        for column in range(3):
            known = labels[:, column] >= 0
            oracle = LogisticRegression(C=1 / (penalty * known.sum()), tol=1e-10, max_iter=10_000)
            oracle.set_params(solver="newton-cholesky").fit(standardised[known], labels[known, column])
            weights = axes @ heads.weights[level, :, column]
            logits = standardised @ weights + heads.intercepts[level, column]
            np.testing.assert_allclose(weights, oracle.coef_[0], atol=1e-4)
            np.testing.assert_allclose(expit(logits), oracle.predict_proba(standardised)[:, 1], atol=1e-5)


def test_tens_of_iterations_are_enough_however_badly_features_are_conditioned() -> None:
    features, labels = features_and_labels(600, 30)
    spectrum = decompose(features)
    assert spectrum.variances[-1] / spectrum.variances[0] > 1e4
    settings = SETTINGS.model_copy(update={"max_iterations": 60, "max_newton_steps": 0})
    fit_logistic(spectrum.coordinates(features), spectrum.variances, labels, CLASSES, settings)


def test_a_fit_that_stops_early_is_an_error_that_names_class_and_penalty() -> None:
    features, labels = features_and_labels(600, 30)
    spectrum = decompose(features)
    settings = SETTINGS.model_copy(update={"max_iterations": 1, "max_newton_steps": 0})
    with pytest.raises(UserError, match=r"class '(edema|mass|hernia)' did not converge at penalty 1: gradient norm"):
        fit_logistic(spectrum.coordinates(features), spectrum.variances, labels, CLASSES, settings)


def test_classes_do_not_see_each_other() -> None:
    features, labels = features_and_labels(600, 30)
    spectrum = decompose(features)
    coordinates = spectrum.coordinates(features)
    joint = fit_logistic(coordinates, spectrum.variances, labels, CLASSES, SETTINGS)
    alone = fit_logistic(coordinates, spectrum.variances, labels[:, [2]], CLASSES[2:], SETTINGS)
    together, by_itself = (coordinates @ heads.weights[0, :, -1] for heads in (joint, alone))
    np.testing.assert_allclose(together, by_itself, atol=1e-5)

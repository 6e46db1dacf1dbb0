"""A fitted probe scores raw features, with the penalty the validation images prefer."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

from pipeline.evaluation.probe import FittedProbe, fit_probe
from pipeline.evaluation.spectrum import decompose
from pipeline.records.errors import UserError
from pipeline.settings.probes import LinearProbeSettings, RidgeSettings

PENALTIES = (1e-4, 1e-2, 1.0, 100.0)
LOGISTIC = LinearProbeSettings(kind="linear_probe", penalties=PENALTIES, tolerance=1e-7)
RIDGE = RidgeSettings(kind="ridge", penalties=PENALTIES)
CLASSES = ("edema", "mass")
Split = tuple[np.ndarray, np.ndarray]


def splits(noise: float = 2.0) -> tuple[Split, Split]:
    """Draw a train and a val split: 24 features of unlike mean and scale, half of them worthless."""
    rng = np.random.default_rng(5)
    truth = np.concatenate([rng.standard_normal((12, 2)), np.zeros((12, 2))])
    drawn = []
    for images in (150, 120):
        latent = rng.standard_normal((images, 24))
        labels = (latent @ truth + noise * rng.standard_normal((images, 2)) > [0, 2]).astype(np.int8)
        drawn.append(((latent * np.geomspace(0.01, 50, 24) + 10).astype(np.float32), labels))
    return drawn[0], drawn[1]


def fit(settings: LinearProbeSettings | RidgeSettings, train: Split, val: Split) -> FittedProbe:
    return fit_probe(settings, *train, *val, CLASSES)


def test_the_chosen_penalty_has_the_lowest_validation_log_loss() -> None:
    train, val = splits()
    probe = fit(LOGISTIC, train, val)
    mean, deviation = train[0].mean(axis=0, dtype=float), train[0].std(axis=0, dtype=float)
    for column, name in enumerate(CLASSES):
        losses = {}
        for penalty in PENALTIES:
            oracle = LogisticRegression(C=1 / (penalty * 150), tol=1e-10, solver="newton-cholesky")
            oracle.fit((train[0] - mean) / deviation, train[1][:, column])
            probability = oracle.predict_proba((val[0] - mean) / deviation)[:, 1]
            losses[log_loss(val[1][:, column], probability)] = penalty, probability
        best, probability = losses[min(losses)]
        assert probe.penalties[name] == best
        np.testing.assert_allclose(expit(probe.scores(val[0])[:, column]), probability, atol=1e-5)


def test_ridge_chooses_by_validation_squared_error() -> None:
    train, val = splits()
    probe = fit(RIDGE, train, val)
    mean, deviation = train[0].mean(axis=0, dtype=float), train[0].std(axis=0, dtype=float)
    for column, name in enumerate(CLASSES):
        losses = {}
        for penalty in PENALTIES:
            oracle = Ridge(alpha=penalty * 150).fit((train[0] - mean) / deviation, 2.0 * train[1][:, column] - 1)
            predicted = oracle.predict((val[0] - mean) / deviation)
            losses[mean_squared_error(2.0 * val[1][:, column] - 1, predicted)] = penalty, predicted
        best, predicted = losses[min(losses)]
        assert probe.penalties[name] == best
        np.testing.assert_allclose(probe.scores(val[0])[:, column], predicted, atol=1e-5)


@pytest.mark.parametrize("settings", [LOGISTIC, RIDGE])
def test_scores_are_float32_and_rank_unseen_images(settings: LinearProbeSettings | RidgeSettings) -> None:
    train, val = splits(noise=0.5)
    scores = fit(settings, train, val).scores(val[0])
    assert scores.dtype == np.float32
    assert roc_auc_score(val[1], scores, average=None).min() > 0.85


@pytest.mark.parametrize("settings", [LOGISTIC, RIDGE])
def test_a_feature_that_never_varies_in_training_has_no_say(
    settings: LinearProbeSettings | RidgeSettings,
) -> None:
    (train, train_labels), (val, val_labels) = splits()
    constant = np.full((150, 1), 0.1, np.float32)
    wide = fit(settings, (np.hstack([train, constant]), train_labels), (np.hstack([val, val[:, :1]]), val_labels))
    narrow = fit(settings, (train, train_labels), (val, val_labels))
    assert not wide.weights[-1].any()
    np.testing.assert_allclose(wide.scores(np.hstack([val, val[:, :1]])), narrow.scores(val), atol=1e-5)


@pytest.mark.parametrize("settings", [LOGISTIC, RIDGE])
def test_rescaled_features_and_fewer_bits_do_not_change_the_probe(
    settings: LinearProbeSettings | RidgeSettings,
) -> None:
    (train, train_labels), (val, val_labels) = splits()
    train, val = train.astype(np.float16), val.astype(np.float16)
    original = fit(settings, (train, train_labels), (val, val_labels))
    rescaled = fit(settings, (train.astype(float) * -3 + 1, train_labels), (val.astype(float) * -3 + 1, val_labels))
    assert original.penalties == rescaled.penalties
    np.testing.assert_allclose(rescaled.scores(val.astype(float) * -3 + 1), original.scores(val), atol=1e-5)


def test_of_penalties_that_do_equally_well_the_larger_is_taken() -> None:
    train, val = splits()
    constant = np.ones_like(train[0]), np.ones_like(val[0])
    probe = fit(LOGISTIC, (constant[0], train[1]), (constant[1], val[1]))
    assert set(probe.penalties.values()) == {PENALTIES[-1]}
    np.testing.assert_allclose(expit(probe.scores(constant[1]))[0], train[1].mean(axis=0), atol=1e-6)


def test_images_left_out_of_a_class_do_not_touch_it() -> None:
    train, val = splits()
    unknown = np.arange(150) % 5 == 0
    labels = train[1].copy()
    labels[unknown, 1] = -1
    for settings in (LOGISTIC, RIDGE):
        masked = fit(settings, (train[0], labels), val)
        labels_of_others = labels.copy()
        labels_of_others[unknown, 0] = 1 - labels_of_others[unknown, 0]
        other = fit(settings, (train[0], labels_of_others), val)
        np.testing.assert_allclose(masked.scores(val[0])[:, 1], other.scores(val[0])[:, 1], atol=1e-5)
        assert np.abs(masked.scores(val[0])[:, 0] - other.scores(val[0])[:, 0]).max() > 0.01


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_one_sided_class_is_named_with_its_split(split: str) -> None:
    train, val = splits()
    labels = {"train": train[1], "val": val[1]}[split]
    labels[:, 1] = np.where(labels[:, 1] == 1, -1, 0)
    with pytest.raises(UserError, match=f"'mass' has no positive image in the {split} split"):
        fit(LOGISTIC, train, val)


def test_features_that_are_not_finite_are_refused_with_split_and_image() -> None:
    train, val = splits()
    val[0][7, 3] = np.nan
    with pytest.raises(UserError, match="val features of image 7"):
        fit(RIDGE, train, val)


def test_axes_are_uncorrelated_with_the_variances_they_claim() -> None:
    features = splits()[0][0]
    spectrum = decompose(features)
    covariance = np.cov(spectrum.coordinates(features).T, bias=True)
    np.testing.assert_allclose(covariance, np.diag(spectrum.variances), atol=1e-10)
    assert spectrum.variances.sum() == pytest.approx(features.shape[1])


@pytest.mark.parametrize("penalties", [(), (1.0, 0.1), (1.0, 1.0), (0.0, 1.0)])
def test_penalties_must_be_positive_and_increase(penalties: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="penalties"):
        RidgeSettings(kind="ridge", penalties=penalties)

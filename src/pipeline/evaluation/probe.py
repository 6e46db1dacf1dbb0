"""A linear head on frozen features, its penalty chosen per class on the validation images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.logistic import fit_logistic
from pipeline.evaluation.ranks import refuse_one_sided
from pipeline.evaluation.ridge import fit_ridge
from pipeline.evaluation.spectrum import Heads, Spectrum, decompose, row_blocks
from pipeline.records.errors import UserError
from pipeline.settings.probes import LinearProbeSettings, RidgeSettings

Features = NDArray[np.floating]
Labels = NDArray[np.int8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedProbe:
    """Hold one linear head per class, on raw features."""

    weights: Floats
    """[D, C], standardisation folded in."""
    intercepts: Floats
    """[C]"""
    penalties: dict[str, float]
    """The penalty chosen on validation, per class."""

    def scores(self, features: Features) -> NDArray[np.float32]:
        """Return the logits (ridge: the predicted targets) of features [N, D]: float32 [N, C]."""
        scores = np.empty((len(features), len(self.intercepts)), np.float32)
        for rows in row_blocks(len(features)):
            scores[rows] = features[rows].astype(np.float64) @ self.weights + self.intercepts
        return scores


def fit_probe(
    settings: LinearProbeSettings | RidgeSettings,
    train_features: Features,
    train_labels: Labels,
    val_features: Features,
    val_labels: Labels,
    classes: Sequence[str],
) -> FittedProbe:
    """Fit every penalty on the training images and keep, per class, the one with the lowest validation loss.

    Features are [N, D]; labels [N, C] are 1 (positive), 0 (negative) or -1 (left out of that class). The
    loss is the one that was fitted: log-loss, or squared error for ridge; of equals the larger penalty
    wins. Raises `UserError` for features that are not finite, for a class without a positive or negative
    image in either split (naming both), and for a fit that does not converge.
    """
    for split, features, labels in (
        ("train", train_features, train_labels),
        ("val", val_features, val_labels),
    ):
        _refuse_infinite(features, split)
        refuse_one_sided(labels, classes, split)
    spectrum = decompose(train_features)
    heads = _fit(settings, spectrum, train_features, train_labels, classes)
    losses = _losses(settings, heads, spectrum.coordinates(val_features), val_labels)
    chosen = len(losses) - 1 - losses[::-1].argmin(axis=0)
    every_class = np.arange(len(classes))
    weights = spectrum.axes @ heads.weights[chosen, :, every_class].T
    return FittedProbe(
        weights=weights,
        intercepts=heads.intercepts[chosen, every_class] - spectrum.mean @ weights,
        penalties={name: settings.penalties[index] for name, index in zip(classes, chosen, strict=True)},
    )


def _fit(
    settings: LinearProbeSettings | RidgeSettings,
    spectrum: Spectrum,
    features: Features,
    labels: Labels,
    classes: Sequence[str],
) -> Heads:
    coordinates = spectrum.coordinates(features)
    if isinstance(settings, RidgeSettings):
        return fit_ridge(coordinates, spectrum.variances, labels, settings.penalties)
    return fit_logistic(coordinates, spectrum.variances, labels, classes, settings)


def _losses(settings: LinearProbeSettings | RidgeSettings, heads: Heads, coordinates: Floats, labels: Labels) -> Floats:
    """Return the mean validation loss [L, C] of each penalty and class, over the images it has labels for."""
    targets, known = 2.0 * (labels == 1) - 1, labels >= 0
    losses = []
    for weights, intercepts in zip(heads.weights, heads.intercepts, strict=True):
        outputs = coordinates @ weights + intercepts
        ridge = isinstance(settings, RidgeSettings)
        loss = np.square(outputs - targets) if ridge else np.logaddexp(0, -targets * outputs)
        losses.append(loss.mean(axis=0, where=known))
    return np.stack(losses)


def _refuse_infinite(features: Features, split: str) -> None:
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise UserError(
            f"The {split} features of image {int(finite.argmin())} are NaN or infinite; check the encoder's "
            "weights and encode again."
        )

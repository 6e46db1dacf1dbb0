"""Settings of the probes on frozen features, and of the intervals around what they score."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.settings.base import Settings


def _increasing(penalties: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(penalties)):
        raise ValueError("penalties must be strictly increasing, without repeats")
    return penalties


Penalties = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1), AfterValidator(_increasing)]
"""Candidate L2 penalties per image, strictly increasing: the objective is the mean loss over images
plus penalty / 2 times the squared norm of the weights of the standardised features."""

Pool = Literal["mean", "cls"]
"""How patch tokens become one feature vector: their mean, or the class token."""


class LinearProbeSettings(Settings):
    """Fit one L2-regularised logistic regression per class, to convergence (spec performance 4.3)."""

    kind: Literal["linear_probe"]
    pool: Pool = "mean"
    """How patch tokens become one feature vector: their mean, or the class token."""
    penalties: Penalties = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
    """Candidate penalties, per image; each class takes the one with the lowest validation log-loss.
    A penalty is scikit-learn's 1 / (C * images)."""
    tolerance: float = Field(default=1e-5, gt=0)
    """Largest gradient norm at the solution, per class, in coordinates in which the Hessian is near the
    identity: half its square is about how far the objective, in nats, is above its minimum."""
    max_iterations: int = Field(default=100, gt=0)
    """L-BFGS iterations per penalty, for all classes together; Newton's method finishes what they leave."""
    max_newton_steps: int = Field(default=50, ge=0)
    """Newton steps per penalty and class after that; a fit that needs more is an error."""


class RidgeSettings(Settings):
    """Fit one ridge regression per class on targets -1 and +1, in closed form."""

    kind: Literal["ridge"]
    pool: Pool = "mean"
    """How patch tokens become one feature vector: their mean, or the class token."""
    penalties: Penalties = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
    """Candidate penalties, per image; each class takes the one with the lowest validation squared
    error. A penalty is scikit-learn's alpha / images."""


class BootstrapSettings(Settings):
    """Resample patients, with replacement, to get 95 % percentile intervals (spec performance 4.3)."""

    resamples: int = Field(default=1000, ge=40)
    """Number of resamples of the evaluated split's patients; fewer than 40 hold no 2.5th percentile."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resamples; every encoder scored on the same images is resampled alike."""

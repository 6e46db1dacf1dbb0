"""L2-regularised logistic regression of many classes at once, to convergence, along a penalty path.

In the eigenbasis of the features the Hessian at the base rate is diagonal: curvature times variance
plus penalty. Dividing each coordinate by its root gives an exactly equivalent problem whose Hessian is
near the identity, on which L-BFGS needs tens of iterations where it needs thousands on raw features.
What it leaves unfinished, Newton's method finishes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from pipeline.evaluation.newton import LogisticProblem, newton
from pipeline.evaluation.spectrum import Heads
from pipeline.records.errors import UserError
from pipeline.settings.probes import LinearProbeSettings

Floats = NDArray[np.float64]


def fit_logistic(
    coordinates: Floats,
    variances: Floats,
    labels: NDArray[np.int8],
    classes: Sequence[str],
    settings: LinearProbeSettings,
) -> Heads:
    """Minimise, per class and penalty, mean log-loss + penalty / 2 * |weights|^2; the intercept is free.

    Coordinates [N, J] and their variances [J] come from a `Spectrum`; labels [N, C] are 1, 0, or -1 for
    images that take no part in that class. Each penalty starts from the solution of the next larger one.
    Raises `UserError` naming class and penalty where the gradient norm stays above the tolerance.
    """
    positive, known = labels.T == 1, labels.T >= 0
    shares = known / known.sum(axis=1, keepdims=True)
    base_rates = (shares * positive).sum(axis=1, keepdims=True)
    curvatures = base_rates * (1 - base_rates)
    solution = np.hstack([np.zeros((len(classes), len(variances))), logit(base_rates)])
    path = []
    for penalty in reversed(settings.penalties):
        hessian = np.hstack([curvatures * variances + penalty, curvatures])
        problem = _Problem(coordinates, positive, shares, penalty, 1 / np.sqrt(hessian))
        solution = problem.solve(solution, classes, settings)
        path.append(solution)
    heads = np.stack(path[::-1])
    return Heads(heads[:, :, :-1].transpose(0, 2, 1), heads[:, :, -1])


@dataclass(frozen=True)
class _Problem:
    """State one penalty's problem; each row of a solution [C, J + 1] holds a class's weights, then intercept.

    Classes come first since BLAS is faster when the few of them are rows.
    """

    coordinates: Floats
    """[N, J]"""
    positive: NDArray[np.bool_]
    """[C, N]"""
    shares: Floats
    """[C, N]: what each image counts for in each class's mean; 0 where its label is left out."""
    penalty: float
    scale: Floats
    """[C, J + 1]: solution = scale * what the solver sees."""

    def loss_and_gradient(self, scaled: Floats) -> tuple[float, Floats]:
        solution = scaled.reshape(self.scale.shape) * self.scale
        weights, intercepts = solution[:, :-1], solution[:, -1:]
        logits = weights @ self.coordinates.T + intercepts
        losses = self.shares * (np.logaddexp(0, logits) - self.positive * logits)
        residuals = self.shares * (expit(logits) - self.positive)
        slopes = residuals @ self.coordinates + self.penalty * weights
        gradient = np.hstack([slopes, residuals.sum(axis=1, keepdims=True)])
        loss = losses.sum() + self.penalty / 2 * np.square(weights).sum()
        return float(loss), (gradient * self.scale).ravel()

    def solve(self, start: Floats, classes: Sequence[str], settings: LinearProbeSettings) -> Floats:
        # The solver bounds the largest element; divided by the root of their number, that bounds the norm.
        largest_element = settings.tolerance / np.sqrt(start.shape[1])
        found = minimize(
            self.loss_and_gradient,
            (start / self.scale).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={
                "gtol": largest_element,
                "ftol": 0.0,
                "maxiter": settings.max_iterations,
                "maxfun": 10 * settings.max_iterations,
            },
        )
        solution = np.asarray(found.x).reshape(self.scale.shape) * self.scale
        for unfinished in np.flatnonzero(self._gradient_norms(solution) > settings.tolerance):
            solution[unfinished] = self._finish(solution[unfinished], unfinished, settings.max_newton_steps)
        self._refuse_unconverged(solution, classes, settings)
        return solution

    def _gradient_norms(self, solution: Floats) -> Floats:
        """Return, per class, the norm of the gradient in the solver's coordinates."""
        gradient = self.loss_and_gradient((solution / self.scale).ravel())[1]
        return np.asarray(np.linalg.norm(gradient.reshape(self.scale.shape), axis=1))

    def _finish(self, solution: Floats, unfinished: np.intp, steps: int) -> Floats:
        """Finish one class by Newton's method: dearer steps, but few, where separable classes bend the loss."""
        design = np.hstack([self.coordinates, np.ones((len(self.coordinates), 1))])
        penalties = np.append(np.full(design.shape[1] - 1, self.penalty), 0.0)
        problem = LogisticProblem(design, self.positive[unfinished], self.shares[unfinished], penalties)
        return newton(problem, solution, steps)

    def _refuse_unconverged(self, solution: Floats, classes: Sequence[str], settings: LinearProbeSettings) -> None:
        norms = self._gradient_norms(solution)
        worst = int(norms.argmax())
        if not norms[worst] <= settings.tolerance:
            raise UserError(
                f"The linear probe of class '{classes[worst]}' did not converge at penalty {self.penalty:g}: "
                f"gradient norm {norms[worst]:.1e}, tolerance {settings.tolerance:.1e}; raise max_newton_steps "
                f"(now {settings.max_newton_steps}), raise tolerance, or remove this penalty."
            )

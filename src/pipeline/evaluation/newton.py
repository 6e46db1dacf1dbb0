"""Newton's method for one L2-regularised logistic regression, for what L-BFGS leaves unfinished.

On classes that a plane separates, the solution under a small penalty lies where the curvature is
tiny and unlike that at the start, and L-BFGS needs thousands of iterations where Newton needs ten.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

_HALVINGS = 50  # the last step tried is then below any that changes a float64


@dataclass(frozen=True)
class LogisticProblem:
    """State sum(shares * log-loss) + sum(penalties * solution^2) / 2, to be minimised over the solution [J]."""

    design: Floats
    """[N, J], with a column of ones for the intercept."""
    positive: NDArray[np.bool_]
    """[N]"""
    shares: Floats
    """[N]: what each image counts for."""
    penalties: Floats
    """[J]: 0 for the intercept."""

    def loss(self, solution: Floats) -> float:
        """Return the value that is minimised."""
        margins = np.where(self.positive, 1.0, -1.0) * (self.design @ solution)
        return float(self.shares @ np.logaddexp(0, -margins) + self.penalties @ np.square(solution) / 2)

    def gradient(self, solution: Floats) -> Floats:
        """Return the gradient [J]."""
        residuals = self.shares * (expit(self.design @ solution) - self.positive)
        return np.asarray(residuals @ self.design + self.penalties * solution)

    def hessian(self, solution: Floats) -> Floats:
        """Return the matrix of second derivatives [J, J]."""
        probabilities = expit(self.design @ solution)
        curvatures = self.shares * probabilities * (1 - probabilities)
        return np.asarray((self.design.T * curvatures) @ self.design + np.diag(self.penalties))


def newton(problem: LogisticProblem, start: Floats, steps: int) -> Floats:
    """Return the minimiser, reached from `start` in at most `steps` steps.

    A whole step is taken where it makes the gradient smaller; elsewhere it is halved until the loss
    falls. The method stops where neither can be had: at the minimum, to the last digit.
    """
    solution = start
    for _ in range(steps):
        gradient = problem.gradient(solution)
        direction = np.asarray(np.linalg.solve(problem.hessian(solution), gradient), dtype=np.float64)
        whole = solution - direction
        if np.linalg.norm(problem.gradient(whole)) < np.linalg.norm(gradient):
            solution = whole
            continue
        shorter = _shortened(problem, solution, direction)
        if shorter is None:
            break
        solution = shorter
    return solution


def _shortened(problem: LogisticProblem, solution: Floats, direction: Floats) -> Floats | None:
    before = problem.loss(solution)
    for halving in range(_HALVINGS):
        candidate: Floats = solution - direction / 2.0**halving
        if problem.loss(candidate) < before:
            return candidate
    return None

"""Losses of numbers. With several outputs, see `SquaredError` for value and gradient."""

from __future__ import annotations

import math

import numpy as np

from sklearn_nn.jit.functions import exp, log
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.driver import LOSS
from sklearn_nn.training.loss_base import Loss, check_option, row_weight
from sklearn_nn.training.pointwise import pointwise


@kernel(LOSS)
def squared_error(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: mean over outputs of (z - y)^2 / 2. Gradient: z - y."""
    # Not a row of POINTWISE, and nor is poisson: their sums are rounded as scikit-learn's.
    lo, hi = owned_rows(z, part, parts)
    n = z.shape[1]
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        factor, total = like(w, w * scale), like(w, 0)
        for j in range(n):
            error = z[i, j] - target[row, j]
            total += error * error
            dz[i, j] = error * factor
        losses[i] = 0.5 * w * total / n


@kernel(LOSS)
def poisson(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: sum over outputs of y log(y / p) - y + p, p = exp(z). Gradient: p - y."""
    lo, hi = owned_rows(z, part, parts)
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        factor, total = like(w, w * scale), like(w, 0)
        for j in range(z.shape[1]):
            y, p = target[row, j], exp(z[i, j])
            total += p - y
            if y > 0:
                total += y * (log(y) - z[i, j])
            dz[i, j] = (p - y) * factor
        losses[i] = w * total


class SquaredError(Loss):
    """Half the squared error.

    With several outputs the value is the mean over them and the gradient that of their sum, as
    in scikit-learn: each output learns as fast as it would alone. The same holds for the other
    losses of numbers, but for `Poisson`, whose value is the sum too.
    """

    kernel = squared_error
    link = "identity"


class AbsoluteError(Loss):
    """The absolute error, whose minimum is the median; its derivative at no error is 0."""

    kernel = pointwise("absolute_error")
    link = "identity"


class Huber(Loss):
    """Half the squared error up to an error of `delta`, and linear beyond (Huber, 1964).

    Parameters
    ----------
    delta : float, default=1.0
        Positive, in units of the target. Its derivative is the error, cut to +- `delta`.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical
    Statistics 35.
    """

    kernel = pointwise("huber")
    link = "identity"

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def check(self) -> None:
        """Delta is positive."""
        check_option(
            "delta",
            self.delta,
            lambda delta: 0 < delta < math.inf,
            "is not a positive number; use delta=1.0 for a target of unit variance.",
        )

    def options(self, dtype: str) -> np.ndarray:
        """Delta."""
        return np.array([self.delta], dtype=np.float64)


class Quantile(Loss):
    """The pinball loss, whose minimum is a quantile (Koenker & Bassett, 1978).

    An error costs `quantile` for each unit that the prediction is too low, ``1 - quantile`` for
    each that it is too high. A quantile of 0.5 is half the absolute error.

    Parameters
    ----------
    quantile : float, default=0.5
        Which quantile of the target to predict, in (0, 1).

    References
    ----------
    Koenker, R., & Bassett, G. (1978). Regression quantiles. Econometrica 46.
    """

    kernel = pointwise("quantile")
    link = "identity"
    shared = ("quantile",)

    def __init__(self, quantile: float = 0.5) -> None:
        self.quantile = quantile

    def check(self) -> None:
        """The quantile is inside (0, 1)."""
        check_option(
            "quantile",
            self.quantile,
            lambda quantile: 0 < quantile < 1,
            "is not inside (0, 1); use quantile=0.5 for the median, 0.9 for the 90th percentile.",
        )

    def options(self, dtype: str) -> np.ndarray:
        """The quantile."""
        return np.array([self.quantile], dtype=np.float64)


class LogCosh(Loss):
    """log(cosh(error)): half the squared error near 0, the absolute error less log(2) far away.

    Like `Huber` with a second derivative everywhere; its derivative is tanh(error).
    """

    kernel = pointwise("log_cosh")
    link = "identity"


class Poisson(Loss):
    """Half the Poisson deviance, with a log link: the prediction is exp(z)."""

    kernel = poisson
    link = "exp"

    def check_target(self, y: np.ndarray) -> None:
        """Targets must not be negative."""
        if np.any(y < 0):
            raise ValueError(
                f"loss='poisson' needs y >= 0, got a smallest value of {y.min()}; "
                "use loss='squared_error' or shift the target."
            )

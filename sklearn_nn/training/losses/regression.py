"""Losses of regression: `SquaredError` defines value and gradient for several outputs.

A loss that compares one output with one target is a pair of functions of (z, y, options), the value
and its derivative in z, from which `pointwise` makes the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_nn._spec import named_classes, parameters
from sklearn_nn.jit.functions import exp, expm1, log, log1p, tanh
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.epoch_loop import LOSS
from sklearn_nn.training.losses.base import (
    Loss,
    at_most,
    inlined,
    look_up,
    pointwise,
    row_weight,
)

__all__ = ["AbsoluteError", "Huber", "LogCosh", "Poisson", "Quantile", "SquaredError"]


@kernel(LOSS)
def squared_error(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: mean over outputs of (z - y)^2 / 2. Gradient: z - y."""
    # Not pointwise, like poisson: their sums are rounded as in scikit-learn.
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

    With several outputs the value is their mean and the gradient is that of their sum, as in
    scikit-learn, so that each output learns as fast as it would alone. The same holds for the other
    regression losses except `Poisson`, whose value is also the sum.
    """

    name = "squared_error"
    kernel = squared_error
    link = "identity"


@inlined
def _size(x: Any) -> Any:
    return x if x > like(x, 0) else -x


@inlined
def _signed(x: Any, above: Any, below: Any) -> Any:
    """Return `above` for positive x, `below` for negative x, and x itself for 0 and NaN."""
    return above if x > like(x, 0) else (below if x < like(x, 0) else x)


def _absolute_error(z: Any, y: Any, options: Any) -> Any:
    return _size(z - y)


def _absolute_error_derivative(z: Any, y: Any, options: Any) -> Any:
    return _signed(z - y, like(z, 1), like(z, -1))


class AbsoluteError(Loss):
    """Absolute error, which is minimal at the median; its derivative at zero error is 0."""

    name = "absolute_error"
    kernel = pointwise(name, _absolute_error, _absolute_error_derivative)
    link = "identity"


def _huber(z: Any, y: Any, options: Any) -> Any:
    size = _size(z - y)
    inner = at_most(size, like(z, options[0]))
    return inner * (size - like(z, 0.5) * inner)


def _huber_derivative(z: Any, y: Any, options: Any) -> Any:
    delta = like(z, options[0])
    error = at_most(z - y, delta)
    return -delta if error < -delta else error


@parameters
class Huber(Loss):
    """Half the squared error up to an error of `delta`, and linear beyond (Huber, 1964).

    Parameters
    ----------
    delta : float, default=1.0
        Error at which the loss becomes linear, positive and in units of the target. The derivative
        is the error, clipped to +- `delta`.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical
    Statistics 35.
    """

    name = "huber"
    kernel = pointwise(name, _huber, _huber_derivative)
    link = "identity"
    limits = {"delta": "(0, inf)"}

    delta: float = 1.0

    def options(self, dtype: str) -> np.ndarray:
        """Return [delta]."""
        return np.array([self.delta], dtype=np.float64)


def _quantile(z: Any, y: Any, options: Any) -> Any:
    below = like(z, options[0])
    return (z - y) * (like(z, 1) - below if z > y else -below)


def _quantile_derivative(z: Any, y: Any, options: Any) -> Any:
    below = like(z, options[0])
    return _signed(z - y, like(z, 1) - below, -below)


@parameters
class Quantile(Loss):
    """Pinball loss, which is minimal at a quantile (Koenker & Bassett, 1978).

    Each unit of error costs `quantile` where the prediction is too low and ``1 - quantile`` where
    it is too high. With quantile=0.5 it is half the absolute error.

    Parameters
    ----------
    quantile : float, default=0.5
        Quantile of the target to predict, in (0, 1).

    References
    ----------
    Koenker, R., & Bassett, G. (1978). Regression quantiles. Econometrica 46.
    """

    name = "quantile"
    kernel = pointwise(name, _quantile, _quantile_derivative)
    link = "identity"
    shared = ("quantile",)
    limits = {"quantile": "(0, 1)"}

    quantile: float = 0.5

    def options(self, dtype: str) -> np.ndarray:
        """Return [quantile]."""
        return np.array([self.quantile], dtype=np.float64)


def _log_cosh(z: Any, y: Any, options: Any) -> Any:
    # Not log(cosh(e)): cosh overflows float32 above 89. Exactly 0 where z = y.
    size = _size(z - y)
    return size + log1p(like(z, 0.5) * expm1(like(z, -2) * size))


def _log_cosh_derivative(z: Any, y: Any, options: Any) -> Any:
    return tanh(z - y)


class LogCosh(Loss):
    """log(cosh(error)): half the squared error near 0, the absolute error minus log(2) far away.

    It resembles `Huber` but has a second derivative everywhere; its derivative is tanh(error).
    """

    name = "log_cosh"
    kernel = pointwise(name, _log_cosh, _log_cosh_derivative)
    link = "identity"


class Poisson(Loss):
    """Half the Poisson deviance with a log link: the prediction is exp(z)."""

    name = "poisson"
    kernel = poisson
    link = "exp"

    def check_target(self, y: np.ndarray) -> None:
        """Raise ValueError if a target is negative."""
        if np.any(y < 0):
            raise ValueError(
                f"loss='poisson' needs y >= 0, got a smallest value of {y.min()}; "
                "use loss='squared_error' or shift the target."
            )


#: Losses of regressors by name.
REGRESSION_LOSSES = {kind.name: kind for kind in named_classes(Loss, globals())}


def get_regression_loss(loss: Any, settings: Mapping[str, Any]) -> Loss:
    """Return the loss of this name with the parameters that it shares with an estimator's.

    A `Loss` is returned unchanged; an unknown name raises ValueError.
    """
    return loss if isinstance(loss, Loss) else look_up(loss, REGRESSION_LOSSES).sharing(settings)

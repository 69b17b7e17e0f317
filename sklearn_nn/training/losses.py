"""Losses: a value and a gradient with respect to the raw output, and the link to predictions.

A loss works on the raw output z of the last layer. Its kernel writes every row's loss, times the
row's weight, and the gradient of ``scale * sum of weight * loss``; the machine's scale is one
over the batch's sum of weights. The *link* turns z into what `predict` returns.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit

from sklearn_nn._spec import Spec
from sklearn_nn.jit.functions import exp, log, sigmoid
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import Activation, exponentials, row_sum
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.driver import LOSS
from sklearn_nn.network.machine import Targets
from sklearn_nn.network.source import readonly


@njit(**INLINED_OPTIONS)
def _row_weight(weight: np.ndarray, row: int) -> float:
    """The weight of a sample; 1 where there are no weights."""
    return weight[row] if weight.size else weight.dtype.type(1)


@njit(**INLINED_OPTIONS)
def _at_most(x: float, limit: float) -> float:
    """The smaller of both; NaN stays NaN."""
    return limit if x > limit else x


@kernel(LOSS)
def squared_error(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: mean over outputs of (z - y)^2 / 2. Gradient: z - y."""
    lo, hi = owned_rows(z, part, parts)
    n = z.shape[1]
    for i in range(lo, hi):
        row = rows[i]
        w = _row_weight(weight, row)
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
        w = _row_weight(weight, row)
        factor, total = like(w, w * scale), like(w, 0)
        for j in range(z.shape[1]):
            y, p = target[row, j], exp(z[i, j])
            total += p - y
            if y > 0:
                total += y * (log(y) - z[i, j])
            dz[i, j] = (p - y) * factor
        losses[i] = w * total


@kernel(LOSS)
def sigmoid_log_loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: sum over outputs of -y log p - (1 - y) log(1 - p), p = sigmoid(z). Gradient: p - y."""
    lo, hi = owned_rows(z, part, parts)
    n = z.shape[1]
    raw, p = vector(z, lo * n, (hi - lo) * n), vector(dz, lo * n, (hi - lo) * n)
    for k in range(p.size):
        p[k] = sigmoid(raw[k])
    for i in range(lo, hi):
        row = rows[i]
        w = _row_weight(weight, row)
        one, total = like(w, 1), like(w, 0)
        factor, limit = like(w, w * scale), like(w, options[0])
        for j in range(n):
            y, q = target[row, j], dz[i, j]
            if y > 0:
                total += y * _at_most(-log(q), limit)
            if y < one:
                total += (one - y) * _at_most(-log(one - q), limit)
            dz[i, j] = (q - y) * factor
        losses[i] = w * total


@kernel(LOSS)
def softmax_log_loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: -log p[y], p = softmax(z), y the class's number. Gradient: p - onehot(y)."""
    lo, hi = owned_rows(z, part, parts)
    exponentials(z, dz, lo, hi)
    for i in range(lo, hi):
        row = rows[i]
        w = _row_weight(weight, row)
        factor, label = like(w, w * scale), int(target[row, 0])
        total = row_sum(dz, i)
        losses[i] = w * _at_most(-log(dz[i, label] / total), like(w, options[0]))
        for j in range(z.shape[1]):
            dz[i, j] *= factor / total
        dz[i, label] -= factor


class Loss(Spec):
    """Base of all losses.

    Attributes
    ----------
    kernel : Kernel
    link : str
        The activation that turns the raw output into a prediction.
    """

    kernel: ClassVar[Kernel]
    link: ClassVar[str]

    def link_layer(self) -> Activation:
        """The link as a layer."""
        return Activation(self.link)

    def options(self, dtype: str) -> np.ndarray:
        """The kernel's hyperparameters."""
        return np.zeros(0)

    def check_target(self, y: np.ndarray) -> None:
        """Raise a ValueError if the loss is not defined for these targets."""

    def targets(self, y: np.ndarray, weight: np.ndarray | None, dtype: str) -> Targets:
        """Targets of shape (n_samples, n_targets) and weights in the form the machine reads."""
        values = np.require(y, dtype=dtype, requirements=["C", "A"])
        weights = np.zeros(0, dtype) if weight is None else np.ascontiguousarray(weight, dtype)
        return Targets(
            self.kernel.address(dtype),
            readonly(self.options(dtype)),
            readonly(values),
            readonly(weights),
        )


class SquaredError(Loss):
    """Half the squared error.

    With several outputs the value is the mean over them and the gradient that of their sum, as
    in scikit-learn.
    """

    kernel = squared_error
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


class _LogLoss(Loss):
    """Cross-entropy. A sample's loss is at most -log of the type's epsilon, as in scikit-learn."""

    def options(self, dtype: str) -> np.ndarray:
        """The largest loss of one label."""
        return np.array([-np.log(np.finfo(dtype).eps)], dtype=np.float64)


class SigmoidLogLoss(_LogLoss):
    """Binary cross-entropy of each output, summed: two classes, or several labels at once."""

    kernel = sigmoid_log_loss
    link = "logistic"


class SoftmaxLogLoss(_LogLoss):
    """Multiclass cross-entropy; the target is the class's number."""

    kernel = softmax_log_loss
    link = "softmax"


#: What `loss=` may be for a regressor.
REGRESSION_LOSSES: dict[str, type[Loss]] = {"squared_error": SquaredError, "poisson": Poisson}

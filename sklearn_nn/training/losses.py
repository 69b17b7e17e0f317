"""Losses, and the tables of those that estimators accept by name.

A loss acts on the raw output z of the last layer. Its kernel writes the loss of each row times the
row's weight, and the gradient of ``scale * sum of weight * loss``, where scale is one over the
batch's sum of weights. The *link* function maps z to the prediction.

A loss that compares one output with one target is a pair of functions of (z, y, options), the value
and its derivative in z, from which `pointwise` makes the kernel. Losses of classification have a
form for a sigmoid and a form for a softmax. A class with a `name` enters its table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from sklearn_nn._spec import Spec, is_number, lies_in, named_classes, parameters
from sklearn_nn.jit import njit, register_jitable
from sklearn_nn.jit.functions import exp, expm1, fma, log, log1p, sigmoid, softplus, tanh
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import Activation, exponentials, row_sum
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.layers.layer import Layer
from sklearn_nn.layers.quantiles import Quantiles, ascend, ascend_backward, middle_level, shifts
from sklearn_nn.network.batch_loops import LOSS
from sklearn_nn.network.machine import Targets
from sklearn_nn.network.source import readonly

__all__ = [
    "AbsoluteError", "Huber", "LogCosh", "Loss", "Poisson", "Quantile", "SigmoidFocal",
    "SigmoidLogLoss", "SoftmaxFocal", "SoftmaxLogLoss", "SquaredError",
]  # fmt: skip

_Entry = TypeVar("_Entry")
#: Function of the raw output, the target and the options.
_OfOutput = Callable[[Any, Any, Any], Any]


@njit(**INLINED_OPTIONS)
def row_weight(weight: np.ndarray, row: int) -> float:
    """Return the weight of a sample, 1 if no weights are given."""
    return weight[row] if weight.size else weight.dtype.type(1)


@njit(**INLINED_OPTIONS)
def at_most(x: float, limit: float) -> float:
    """Return min(x, limit); NaN stays NaN."""
    return limit if x > limit else x


class Loss(Spec):
    """Base class of losses.

    Attributes
    ----------
    name : str
        Value of `loss` that selects this class in estimators.
    kernel : Kernel
        Kernel that computes losses and gradients.
    link : str
        Activation that turns the raw output into a prediction.
    shared : tuple of str
        Hyperparameters taken from the estimator if the loss is given by name.

    Examples
    --------
    A loss is a parameter of the estimator, and its own parameters can be searched over:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Huber
    >>> model = MLPRegressor(loss=Huber())
    >>> model.set_params(loss__delta=0.5).loss
    Huber(delta=0.5)
    """

    name: ClassVar[str]
    kernel: ClassVar[Kernel]
    link: ClassVar[str]
    shared: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def sharing(cls, parameters: Mapping[str, Any]) -> Self:
        """Return a loss with the estimator's parameters that it shares."""
        return cls(**{name: parameters[name] for name in cls.shared if name in parameters})

    def chosen_kernel(self) -> Kernel:
        """Return the kernel for these hyperparameters."""
        return self.kernel

    def link_layer(self) -> Layer:
        """Return the link as a layer."""
        return Activation(self.link)

    @property
    def outputs_per_target(self) -> int:
        """Number of raw outputs for each target of a regressor, side by side."""
        return 1

    @property
    def predicted(self) -> int:
        """Index of the output that is the prediction, among those of a target after the link."""
        return 0

    def options(self, dtype: str) -> np.ndarray:
        """Return the kernel's hyperparameters."""
        return np.zeros(0)

    def check_target(self, y: np.ndarray) -> None:
        """Raise ValueError if the loss is not defined for these targets."""

    def targets(self, y: np.ndarray, weight: np.ndarray | None, dtype: str) -> Targets:
        """Convert targets and weights to the form that the machine reads.

        Targets have shape (n_samples, n_targets), or (n_samples, n_steps, n_targets) for targets
        at each time step; weights then have shape (n_samples, n_steps).
        """
        self.check()
        values = np.require(y, dtype=dtype, requirements=["C", "A"]).reshape(-1, y.shape[-1])
        weights = np.zeros(0) if weight is None else weight.reshape(-1)
        weights = np.ascontiguousarray(weights, dtype)
        loss_at, options = self.chosen_kernel().address(dtype), self.options(dtype)
        return Targets(loss_at, readonly(options), readonly(values), readonly(weights))


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let Numba inline `function` into kernels before LLVM sees it.

    LLVM does not inline a large function, and a loop with a call does not vectorize.
    """
    return register_jitable(function, inline="always")


@njit(**INLINED_OPTIONS)
def _look_up(target: np.ndarray, rows: np.ndarray, lo: int, hi: int, out: np.ndarray) -> None:
    """Copy the targets of rows [lo, hi) of the batch to `out`."""
    n = out.shape[1]
    if n == 1:  # an inner loop of one iteration would dominate the time
        numbers, found = vector(rows, lo, hi - lo), vector(out, lo, hi - lo)
        for i in range(found.size):
            found[i] = target[numbers[i], 0]
    else:
        for i in range(lo, hi):
            y, found = vector(target, rows[i] * n, n), vector(out, i * n, n)
            for j in range(n):
                found[j] = y[j]


@njit(**INLINED_OPTIONS)
def _scale_rows(
    weight: np.ndarray, rows: np.ndarray, scale: float, lo: int, hi: int, x: np.ndarray
) -> None:
    """Multiply rows [lo, hi) of x by scale and the row's weight."""
    n = x.shape[1]
    flat = vector(x, lo * n, (hi - lo) * n)
    if weight.size == 0:
        factor = x.dtype.type(scale)
        for k in range(flat.size):
            flat[k] *= factor
    else:
        for i in range(lo, hi):
            factor = x.dtype.type(weight[rows[i]] * scale)
            for j in range(n):
                x[i, j] *= factor


def pointwise(name: str, value: _OfOutput, derivative: _OfOutput, mean: bool = True) -> Kernel:
    """Make the kernel of the loss ``value(z, y, options)`` with this derivative in z.

    The loss of a row is the mean over its outputs, or their sum. The gradient is always that of the
    sum, so that each output learns as it would alone.
    """
    value, derivative = inlined(value), inlined(derivative)

    @kernel(LOSS, name=f"training.losses.{name}")
    def loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
        """Loss: mean or sum over outputs of f(z, y). Gradient: f'(z, y)."""
        lo, hi = owned_rows(z, part, parts)
        n = z.shape[1]
        raw, flat = vector(z, lo * n, (hi - lo) * n), vector(dz, lo * n, (hi - lo) * n)
        _look_up(target, rows, lo, hi, dz)
        # Loops over all elements vectorize, however narrow the rows are.
        for k in range(flat.size):
            flat[k] = value(raw[k], flat[k], options)
        share = 1.0 / n if mean else 1.0
        for i in range(lo, hi):
            losses[i] = row_weight(weight, rows[i]) * share * row_sum(dz, i)
        _look_up(target, rows, lo, hi, dz)
        for k in range(flat.size):
            flat[k] = derivative(raw[k], flat[k], options)
        _scale_rows(weight, rows, scale, lo, hi, dz)

    return loss


# --- regression -----------------------------------------------------------------------------------


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

    Examples
    --------
    Of the same sample four times, the mean of the targets is predicted:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import SquaredError
    >>> model = MLPRegressor(SquaredError(), (), solver="lbfgs", alpha=0, max_iter=1000)
    >>> round(float(model.fit([[0.0]] * 4, [1.0, 2.0, 3.0, 10.0]).predict([[0.0]])[0]), 1)
    4.0
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


class AbsoluteError(Loss):
    """Absolute error, which is minimal at the median; its derivative at zero error is 0.

    Examples
    --------
    Of the same sample five times, the median of the targets is predicted:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import AbsoluteError
    >>> model = MLPRegressor(
    ...     AbsoluteError(), (), learning_rate_init=0.05, learning_rate="cosine", max_iter=500
    ... )
    >>> model = model.fit([[0.0]] * 5, [1.0, 2.0, 3.0, 4.0, 100.0])
    >>> round(float(model.predict([[0.0]])[0]), 1)
    3.0
    """

    name = "absolute_error"
    kernel = pointwise(
        name, lambda z, y, _: _size(z - y), lambda z, y, _: _signed(z - y, like(z, 1), like(z, -1))
    )
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

    Examples
    --------
    Of the same sample four times, with an outlier; the mean of the targets is 26.5:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Huber
    >>> for delta in (1, 10):
    ...     model = MLPRegressor(Huber(delta), (), solver="lbfgs", alpha=0, max_iter=1000)
    ...     model = model.fit([[0.0]] * 4, [1.0, 2.0, 3.0, 100.0])
    ...     print(delta, round(float(model.predict([[0.0]])[0]), 1))
    1 2.5
    10 5.3
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


@kernel(LOSS)
def quantiles(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: mean of the pinball losses of all levels, over outputs. Gradient: that of their sum."""
    lo, hi = owned_rows(z, part, parts)
    n, middle = (options.size - 1) // 2, int(options[0])
    level, shift = vector(options, 1, n), vector(options, 1 + n, n)
    n_targets = z.shape[1] // n
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        factor, total = like(w, w * scale / n), like(w, 0)
        for k in range(n_targets):
            start, y = (i * n_targets + k) * n, target[row, k]
            raw, found = vector(z, start, n), vector(dz, start, n)
            ascend(raw, shift, middle, found)
            for j in range(n):
                error, share, none = found[j] - y, like(w, level[j]), like(w, 0)
                slope = like(w, 1) - share if error > none else (-share if error < none else error)
                total += error * slope
                found[j] = slope * factor
            ascend_backward(raw, shift, middle, found, found)
        losses[i] = w * total / (n * n_targets)


@parameters
class Quantile(Loss):
    """Pinball loss, which is minimal at a quantile (Koenker & Bassett, 1978).

    Each unit of error costs `quantile` where the prediction is too low and ``1 - quantile`` where
    it is too high. With quantile=0.5 it is half the absolute error.

    Parameters
    ----------
    quantile : float or list of float, default=0.5
        Quantile of the target to predict, in (0, 1), or several in ascending order, which never
        cross: the network has an output for the middle one, and for the distance from each of the
        others to its neighbour. The loss is then the mean over all levels.

    References
    ----------
    Koenker, R., & Bassett, G. (1978). Regression quantiles. Econometrica 46.

    Examples
    --------
    An upper bound of four fifths of the targets, and a lower bound of as many:

    >>> import numpy as np
    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Quantile
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (1000, 1))
    >>> y = X[:, 0] + rng.normal(0, 0.1 + 0.2 * (X[:, 0] > 0))
    >>> for quantile in (0.2, 0.8):
    ...     model = MLPRegressor(Quantile(quantile), 32, learning_rate_init=0.01, random_state=0)
    ...     print(quantile, round(float(np.mean(y < model.fit(X, y).predict(X))), 1))
    0.2 0.2
    0.8 0.8

    Both by one network, with the median between them:

    >>> loss = Quantile([0.2, 0.5, 0.8])
    >>> model = MLPRegressor(loss, 32, learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> (y[:, np.newaxis] < model.predict_quantiles(X)).mean(axis=0).round(1)
    array([0.2, 0.5, 0.8])
    """

    name = "quantile"
    kernel = pointwise(name, _quantile, _quantile_derivative)
    link = "identity"
    shared = ("quantile",)
    limits = {"quantile": "(0, 1)"}

    quantile: Any = 0.5

    @property
    def levels(self) -> tuple[float, ...]:
        """All levels, in ascending order."""
        return tuple(map(float, np.ravel(self.quantile)))

    @property
    def outputs_per_target(self) -> int:
        """Number of levels."""
        return len(self.levels)

    @property
    def predicted(self) -> int:
        """Index of the middle level; of two middle ones, of that which is nearer to 1/2."""
        return middle_level(self.levels)

    def check(self) -> None:
        """Raise ValueError if the levels are not numbers in (0, 1), in ascending order."""
        given = self.quantile
        if not isinstance(given, list | tuple | np.ndarray):
            super().check()
            return
        levels = list(given)
        remedy = "use ascending levels in (0, 1), such as [0.05, 0.5, 0.95]"
        if not levels:
            raise ValueError(f"quantile={given!r} has no level; {remedy}.")
        wrong = [one for one in levels if not (is_number(one) and lies_in(one, "(0, 1)"))]
        if wrong:
            raise ValueError(f"quantile={given!r} has the level {wrong[0]!r}; {remedy}.")
        ascending = sorted(set(levels))
        if levels != ascending:
            fault = "holds a level twice" if len(ascending) < len(levels) else "is not ascending"
            ascending = list(map(float, ascending))
            raise ValueError(f"quantile={given!r} {fault}; use quantile={ascending}.")

    def chosen_kernel(self) -> Kernel:
        """Return the kernel; several levels have one of their own."""
        return quantiles if self.outputs_per_target > 1 else self.kernel

    def link_layer(self) -> Layer:
        """Return the link as a layer: the identity, or the layer that makes levels ascend."""
        levels = self.levels
        return Quantiles(levels) if len(levels) > 1 else super().link_layer()

    def options(self, dtype: str) -> np.ndarray:
        """Return [quantile]; for several levels, [index of the middle one, levels, shifts]."""
        levels = self.levels
        if len(levels) == 1:
            return np.array(levels, dtype=np.float64)
        return np.array([self.predicted, *levels, *shifts(levels)], dtype=np.float64)


def _log_cosh(z: Any, y: Any, options: Any) -> Any:
    # Not log(cosh(e)): cosh overflows float32 above 89. Exactly 0 where z = y.
    size = _size(z - y)
    return size + log1p(like(z, 0.5) * expm1(like(z, -2) * size))


class LogCosh(Loss):
    """log(cosh(error)): half the squared error near 0, the absolute error minus log(2) far away.

    It resembles `Huber` but has a second derivative everywhere; its derivative is tanh(error).

    Examples
    --------
    Of the same sample four times, with an outlier; the mean of the targets is 26.5:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import LogCosh
    >>> model = MLPRegressor(LogCosh(), (), solver="lbfgs", alpha=0, max_iter=1000)
    >>> model = model.fit([[0.0]] * 4, [1.0, 2.0, 3.0, 100.0])
    >>> round(float(model.predict([[0.0]])[0]), 1)
    2.6
    """

    name = "log_cosh"
    kernel = pointwise(name, _log_cosh, lambda z, y, _: tanh(z - y))
    link = "identity"


class Poisson(Loss):
    """Half the Poisson deviance with a log link: the prediction is exp(z).

    Examples
    --------
    Counts that double with every step of x:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Poisson
    >>> model = MLPRegressor(Poisson(), (), solver="lbfgs", alpha=0, max_iter=1000, random_state=0)
    >>> model = model.fit([[0.0], [1.0], [2.0], [3.0]], [1, 2, 4, 8])
    >>> model.predict([[4.0]]).round()
    array([16.])
    """

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


# --- classification -------------------------------------------------------------------------------


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
        w = row_weight(weight, row)
        one, total = like(w, 1), like(w, 0)
        factor, limit = like(w, w * scale), like(w, options[0])
        for j in range(n):
            y, q = target[row, j], dz[i, j]
            if y > 0:
                total += y * at_most(-log(q), limit)
            if y < one:
                total += (one - y) * at_most(-log(one - q), limit)
            dz[i, j] = (q - y) * factor
        losses[i] = w * total


@kernel(LOSS)
def softmax_log_loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: -log p[y], p = softmax(z), y the class index. Gradient: p - onehot(y)."""
    lo, hi = owned_rows(z, part, parts)
    exponentials(z, dz, lo, hi)
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        factor, label = like(w, w * scale), int(target[row, 0])
        total = row_sum(dz, i)
        losses[i] = w * at_most(-log(dz[i, label] / total), like(w, options[0]))
        for j in range(z.shape[1]):
            dz[i, j] *= factor / total
        dz[i, label] -= factor


@njit(**INLINED_OPTIONS)
def _row_max(x: Any, i: int) -> Any:
    """Return the maximum of row i."""
    largest = x[i, 0]
    for j in range(1, x.shape[1]):
        largest = x[i, j] if x[i, j] > largest else largest
    return largest


@kernel(LOSS)
def smooth_softmax_log_loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: -sum of t log p, t = (1 - s) onehot(y) + s / K, p = softmax(z). Gradient: p - t."""
    lo, hi = owned_rows(z, part, parts)
    exponentials(z, dz, lo, hi)
    n = z.shape[1]
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        limit, even = like(w, options[0]), like(w, options[1] / n)
        own, factor = like(w, 1 - options[1]), like(w, w * scale)
        label = int(target[row, 0])
        total, largest, every = row_sum(dz, i), _row_max(z, i), like(w, 0)
        log_total = log(total)
        for j in range(n):
            every += at_most((largest - z[i, j]) + log_total, limit)
            dz[i, j] = (dz[i, j] / total - even) * factor
        dz[i, label] -= own * factor
        losses[i] = w * (own * at_most((largest - z[i, label]) + log_total, limit) + even * every)


@kernel(LOSS)
def softmax_focal(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: (1 - p)^gamma (-log p), p = softmax(z)[y]; gradient: c (softmax(z) - onehot(y)).

    c = (1 - p)^gamma (1 + gamma p (-log p) / (1 - p)), whose fraction tends to 1 as p does.
    """
    lo, hi = owned_rows(z, part, parts)
    exponentials(z, dz, lo, hi)
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        zero, one = like(w, 0), like(w, 1)
        limit, gamma = like(w, options[0]), like(w, options[1])
        label = int(target[row, 0])
        own, dz[i, label] = dz[i, label], zero
        # 1 - p as the sum of the other classes, not as a difference, which would cancel.
        others = row_sum(dz, i)
        total = others + own
        rest = others / total
        # Beyond the limit p is below epsilon and no longer affects the results.
        log_loss = at_most(_row_max(z, i) - z[i, label] + log1p(others + (own - one)), limit)
        rarity = exp(gamma * log(rest)) if rest > zero else zero
        ratio = log_loss / rest if rest > zero else one
        losses[i] = w * rarity * log_loss
        slope = like(w, w * scale) * rarity * (one + gamma * (own / total) * ratio)
        for j in range(z.shape[1]):
            dz[i, j] *= slope / total
        dz[i, label] = -slope * rest


@parameters
class _LogLoss(Loss):
    """Cross-entropy, where a label costs at most -log(epsilon of the dtype) as in scikit-learn."""

    name = "log_loss"
    shared = ("label_smoothing",)
    limits = {"label_smoothing": "[0, 1)"}

    label_smoothing: float = 0.0

    def options(self, dtype: str) -> np.ndarray:
        """Return [largest loss of one label, label_smoothing]."""
        largest = -np.log(np.finfo(dtype).eps)
        return np.array([largest, self.label_smoothing], dtype=np.float64)


class SigmoidLogLoss(_LogLoss):
    """Binary cross-entropy summed over the outputs, for two classes or for several labels.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Smoothing s in [0, 1): the targets are ``(1 - s) y + s / 2`` (Szegedy et al., 2016,
        section 7).

    References
    ----------
    Szegedy, C., et al. (2016). Rethinking the Inception architecture for computer vision. CVPR.

    Examples
    --------
    Smoothed labels keep probabilities away from 0 and 1:

    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import SigmoidLogLoss
    >>> loss = SigmoidLogLoss(label_smoothing=0.1)
    >>> model = MLPClassifier((), loss=loss, solver="lbfgs", alpha=0, random_state=0)
    >>> model.fit([[0.0], [1.0]], ["a", "b"]).predict_proba([[0.0], [1.0]]).round(2)
    array([[0.95, 0.05],
           [0.05, 0.95]])
    """

    kernel = sigmoid_log_loss
    link = "logistic"

    def targets(self, y: np.ndarray, weight: np.ndarray | None, dtype: str) -> Targets:
        """Convert targets and weights; smoothing changes the targets, not the kernel."""
        self.check()
        if self.label_smoothing > 0:
            y = (1 - self.label_smoothing) * y + self.label_smoothing / 2
        return super().targets(y, weight, dtype)


class SoftmaxLogLoss(_LogLoss):
    """Multiclass cross-entropy; the target is the class index.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Smoothing s in [0, 1): with K classes the targets are ``(1 - s) onehot(y) + s / K``
        (Szegedy et al., 2016, section 7).

    References
    ----------
    Szegedy, C., et al. (2016). Rethinking the Inception architecture for computer vision. CVPR.

    Examples
    --------
    Smoothed labels keep probabilities away from 0 and 1:

    >>> import numpy as np
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import SoftmaxLogLoss
    >>> loss = SoftmaxLogLoss(label_smoothing=0.1)
    >>> model = MLPClassifier((), loss=loss, solver="lbfgs", alpha=0, random_state=0)
    >>> model.fit(np.eye(3), ["a", "b", "c"]).predict_proba(np.eye(3)).round(2)
    array([[0.93, 0.03, 0.03],
           [0.03, 0.93, 0.03],
           [0.03, 0.03, 0.93]])
    """

    kernel = softmax_log_loss
    link = "softmax"

    def chosen_kernel(self) -> Kernel:
        """Return the kernel; smooth targets have a slower one."""
        return smooth_softmax_log_loss if self.label_smoothing > 0 else self.kernel


@parameters
class _Focal(Loss):
    """Focal loss: cross-entropy times (1 - p)^gamma, p the probability of the true label."""

    name = "focal"
    limits = {"gamma": "[0, inf)"}

    gamma: float = 2.0

    def options(self, dtype: str) -> np.ndarray:
        """Return [largest cross-entropy of one label, gamma]."""
        return np.array([-np.log(np.finfo(dtype).eps), self.gamma], dtype=np.float64)


def _focal(z: Any, y: Any, options: Any) -> Any:
    # With p = sigmoid(margin): -log(p) = softplus(-margin), -log(1 - p) = softplus(margin).
    margin = (y + y - like(z, 1)) * z
    rarity = exp(-like(z, options[1]) * softplus(margin))
    return rarity * at_most(softplus(-margin), like(z, options[0]))


def _focal_derivative(z: Any, y: Any, options: Any) -> Any:
    # In the margin: -(1 - p)^gamma (gamma p (-log p) + 1 - p).
    sign, gamma = y + y - like(z, 1), like(z, options[1])
    margin = sign * z
    rarity = exp(-gamma * softplus(margin))
    slope = rarity * fma(gamma * sigmoid(margin), softplus(-margin), sigmoid(-margin))
    return -sign * slope


class SigmoidFocal(_Focal):
    """Focal loss summed over the outputs, for two classes or for several labels.

    Labels that are already predicted well contribute little, which helps with rare classes among
    many easy samples. The paper's class-balancing factor alpha is `class_weight` here.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing exponent, >= 0; 0 gives the log loss.

    References
    ----------
    Lin, T.-Y., et al. (2017). Focal loss for dense object detection. ICCV; equation 4.

    Examples
    --------
    A tenth of the samples is in class 1. Focal loss gives the rare class a higher probability:

    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import SigmoidFocal
    >>> for gamma in (0, 2):
    ...     model = MLPClassifier((), loss=SigmoidFocal(gamma), solver="lbfgs", alpha=0)
    ...     model = model.fit([[0.0]] * 10, [0] * 9 + [1])
    ...     print(gamma, model.predict_proba([[0.0]]).round(2))
    0 [[0.9 0.1]]
    2 [[0.69 0.31]]
    """

    kernel = pointwise("sigmoid_focal", _focal, _focal_derivative, mean=False)
    link = "logistic"


class SoftmaxFocal(_Focal):
    """Focal loss of the true class's probability; the target is the class index.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing exponent, >= 0; 0 gives the log loss.

    References
    ----------
    Lin, T.-Y., et al. (2017). Focal loss for dense object detection. ICCV; equation 4.

    Examples
    --------
    Of ten samples eight are in class 0. Focal loss gives the rare classes a higher probability:

    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import SoftmaxFocal
    >>> for gamma in (0, 2):
    ...     model = MLPClassifier((), loss=SoftmaxFocal(gamma), solver="lbfgs", alpha=0)
    ...     model = model.fit([[0.0]] * 10, [0] * 8 + [1, 2])
    ...     print(gamma, model.predict_proba([[0.0]]).round(2))
    0 [[0.8 0.1 0.1]]
    2 [[0.59 0.2  0.2 ]]
    """

    kernel = softmax_focal
    link = "softmax"


# --- by name --------------------------------------------------------------------------------------

_BY_LINK = {(kind.name, kind.link): kind for kind in named_classes(Loss, globals())}
#: Losses of classifiers by name: for two classes or several labels, and for more classes.
CLASSIFICATION_LOSSES = {
    name: (_BY_LINK[name, "logistic"], kind)
    for (name, link), kind in _BY_LINK.items()
    if link == "softmax"
}
#: Losses of regressors by name.
REGRESSION_LOSSES = {
    name: kind for (name, _), kind in _BY_LINK.items() if name not in CLASSIFICATION_LOSSES
}


def _named(loss: Any, table: Mapping[str, _Entry]) -> _Entry:
    """Return the entry of a table of losses; raise ValueError if the name is unknown."""
    if isinstance(loss, str) and loss in table:
        return table[loss]
    raise ValueError(
        f"loss={loss!r} is not known; use one of {', '.join(table)}, or a Loss object."
    )


def get_regression_loss(loss: Any, settings: Mapping[str, Any]) -> Loss:
    """Return the loss of this name with the parameters that it shares with an estimator's.

    A `Loss` is returned unchanged; an unknown name raises ValueError.
    """
    return loss if isinstance(loss, Loss) else _named(loss, REGRESSION_LOSSES).sharing(settings)


def get_classification_loss(loss: Any, multiclass: bool, settings: Mapping[str, Any]) -> Loss:
    """Return the loss as in `get_regression_loss`.

    `multiclass` selects the form for a softmax; otherwise, each output has its own sigmoid.
    """
    if isinstance(loss, Loss):
        return loss
    return _named(loss, CLASSIFICATION_LOSSES)[int(multiclass)].sharing(settings)

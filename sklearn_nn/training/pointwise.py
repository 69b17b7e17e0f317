"""Pointwise losses: one table of values and derivatives, and the kernel that sums them by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from sklearn_nn.jit.functions import exp, expm1, fma, log1p, sigmoid, softplus, tanh
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import row_sum
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.driver import LOSS
from sklearn_nn.training.loss_base import at_most, row_weight


def _inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let kernels call `function`, merged into them before LLVM sees it.

    LLVM itself would not merge a large one, and a loop that calls does not vectorise.
    """
    register_jitable(inline="always")(function)
    return function


@dataclass(frozen=True)
class Pointwise:
    """A loss of one output z and its target y: value(z, y, options) and its derivative in z.

    A row's value is the mean over its outputs, or their sum. The gradient is always that of the
    sum: each output learns as it would alone.
    """

    value: Callable[[Any, Any, Any], Any]
    derivative: Callable[[Any, Any, Any], Any]
    mean: bool = True

    def __post_init__(self) -> None:
        _inlined(self.value)
        _inlined(self.derivative)


@_inlined
def _size(x: Any) -> Any:
    return x if x > like(x, 0) else -x


@_inlined
def _signed(x: Any, above: Any, below: Any) -> Any:
    """`above` for a positive x, `below` for a negative one; 0 and NaN stay."""
    return above if x > like(x, 0) else (below if x < like(x, 0) else x)


def _absolute_error(z: Any, y: Any, options: Any) -> Any:
    return _size(z - y)


def _absolute_error_derivative(z: Any, y: Any, options: Any) -> Any:
    return _signed(z - y, like(z, 1), like(z, -1))


def _huber(z: Any, y: Any, options: Any) -> Any:
    size = _size(z - y)
    inner = at_most(size, like(z, options[0]))
    return inner * (size - like(z, 0.5) * inner)


def _huber_derivative(z: Any, y: Any, options: Any) -> Any:
    delta = like(z, options[0])
    error = at_most(z - y, delta)
    return -delta if error < -delta else error


def _quantile(z: Any, y: Any, options: Any) -> Any:
    below = like(z, options[0])
    return (z - y) * (like(z, 1) - below if z > y else -below)


def _quantile_derivative(z: Any, y: Any, options: Any) -> Any:
    below = like(z, options[0])
    return _signed(z - y, like(z, 1) - below, -below)


def _log_cosh(z: Any, y: Any, options: Any) -> Any:
    # Not log(cosh(e)): cosh overflows float32 above 89. Exactly 0 where z = y.
    size = _size(z - y)
    return size + log1p(like(z, 0.5) * expm1(like(z, -2) * size))


def _log_cosh_derivative(z: Any, y: Any, options: Any) -> Any:
    return tanh(z - y)


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


#: The family. Adding a pointwise loss is adding a row here, and a class that names it.
POINTWISE: dict[str, Pointwise] = {
    "absolute_error": Pointwise(_absolute_error, _absolute_error_derivative),
    "huber": Pointwise(_huber, _huber_derivative),
    "quantile": Pointwise(_quantile, _quantile_derivative),
    "log_cosh": Pointwise(_log_cosh, _log_cosh_derivative),
    "sigmoid_focal": Pointwise(_focal, _focal_derivative, mean=False),
}


@njit(**INLINED_OPTIONS)
def _look_up(target: np.ndarray, rows: np.ndarray, lo: int, hi: int, out: np.ndarray) -> None:
    """Out = the targets of rows lo to hi of the batch."""
    n = out.shape[1]
    if n == 1:  # a loop over columns, of one turn each, would take longer than all else
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
    """Rows lo to hi of x times scale and the row's weight."""
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


def pointwise(name: str) -> Kernel:
    """The kernel of a row of POINTWISE."""
    row = POINTWISE[name]
    value, derivative, mean = row.value, row.derivative, row.mean

    @kernel(LOSS, name=f"pointwise.{name}")
    def loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
        """Loss: mean or sum over outputs of f(z, y). Gradient: f'(z, y)."""
        lo, hi = owned_rows(z, part, parts)
        n = z.shape[1]
        raw, flat = vector(z, lo * n, (hi - lo) * n), vector(dz, lo * n, (hi - lo) * n)
        _look_up(target, rows, lo, hi, dz)
        # Values and derivatives are loops of their own, which vectorise however narrow rows are.
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

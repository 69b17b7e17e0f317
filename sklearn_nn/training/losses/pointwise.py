"""Kernel of losses that compare one output with one target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import row_sum
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.epoch_loop import LOSS
from sklearn_nn.training.losses.base import row_weight


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let Numba inline `function` into kernels before LLVM sees it.

    LLVM does not inline a large function, and a loop with a call does not vectorise.
    """
    register_jitable(inline="always")(function)
    return function


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


def pointwise(
    name: str,
    value: Callable[[Any, Any, Any], Any],
    derivative: Callable[[Any, Any, Any], Any],
    mean: bool = True,
) -> Kernel:
    """Make the kernel of the loss ``value(z, y, options)`` with this derivative in z.

    The loss of a row is the mean over its outputs, or their sum. The gradient is always that of the
    sum, so that each output learns as it would alone.
    """
    inlined(value)
    inlined(derivative)

    @kernel(LOSS, name=f"training.losses.{name}")
    def loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
        """Loss: mean or sum over outputs of f(z, y). Gradient: f'(z, y)."""
        lo, hi = owned_rows(z, part, parts)
        n = z.shape[1]
        raw, flat = vector(z, lo * n, (hi - lo) * n), vector(dz, lo * n, (hi - lo) * n)
        _look_up(target, rows, lo, hi, dz)
        # Loops over all elements vectorise, however narrow the rows are.
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

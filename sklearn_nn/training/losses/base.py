"""Base class of losses, and the kernel of those that compare one output with one target.

A loss acts on the raw output z of the last layer. Its kernel writes the loss of each row times the
row's weight, and the gradient of ``scale * sum of weight * loss``, where scale is one over the
batch's sum of weights. The *link* function maps z to the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numba import njit
from numba.extending import register_jitable

from sklearn_nn._spec import BoundedSpec
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import Activation, row_sum
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.epoch_loop import LOSS
from sklearn_nn.network.machine import Targets
from sklearn_nn.network.source import readonly

_Entry = TypeVar("_Entry")


@njit(**INLINED_OPTIONS)
def row_weight(weight: np.ndarray, row: int) -> float:
    """Return the weight of a sample, 1 if no weights are given."""
    return weight[row] if weight.size else weight.dtype.type(1)


@njit(**INLINED_OPTIONS)
def at_most(x: float, limit: float) -> float:
    """Return min(x, limit); NaN stays NaN."""
    return limit if x > limit else x


def look_up(loss: Any, table: Mapping[str, _Entry]) -> _Entry:
    """Return the entry of a table of losses; raise ValueError if the name is unknown."""
    if isinstance(loss, str) and loss in table:
        return table[loss]
    raise ValueError(
        f"loss={loss!r} is not known; use one of {', '.join(table)}, or a Loss object."
    )


class Loss(BoundedSpec):
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

    def link_layer(self) -> Activation:
        """Return the link as a layer."""
        return Activation(self.link)

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
        return Targets(
            self.chosen_kernel().address(dtype),
            readonly(self.options(dtype)),
            readonly(values),
            readonly(weights),
        )


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

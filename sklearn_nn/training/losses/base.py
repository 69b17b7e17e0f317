"""Base class of losses: value, gradient with respect to the raw output, and link.

A loss acts on the raw output z of the last layer. Its kernel writes the loss of each row times the
row's weight, and the gradient of ``scale * sum of weight * loss``, where scale is one over the
batch's sum of weights. The *link* function maps z to the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numba import njit

from sklearn_nn._spec import Spec
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.layers.activation import Activation
from sklearn_nn.network.machine import Targets
from sklearn_nn.network.source import readonly


@njit(**INLINED_OPTIONS)
def row_weight(weight: np.ndarray, row: int) -> float:
    """Return the weight of a sample, 1 if no weights are given."""
    return weight[row] if weight.size else weight.dtype.type(1)


@njit(**INLINED_OPTIONS)
def at_most(x: float, limit: float) -> float:
    """Return min(x, limit); NaN stays NaN."""
    return limit if x > limit else x


def check_option(name: str, value: Any, allowed: Callable[[Any], bool], remedy: str) -> None:
    """Raise ValueError unless the hyperparameter is a number for which `allowed` is true."""
    if not (isinstance(value, Real) and allowed(value)):
        raise ValueError(f"{name}={value!r} {remedy}")


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

    def check(self) -> None:
        """Raise ValueError if a hyperparameter is out of range."""

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

"""What a loss is: a value and a gradient with respect to the raw output, and a link.

A loss works on the raw output z of the last layer. Its kernel writes every row's loss, times the
row's weight, and the gradient of ``scale * sum of weight * loss``; the machine's scale is one
over the batch's sum of weights. The *link* turns z into what `predict` returns.
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
    """The weight of a sample; 1 where there are no weights."""
    return weight[row] if weight.size else weight.dtype.type(1)


@njit(**INLINED_OPTIONS)
def at_most(x: float, limit: float) -> float:
    """The smaller of both; NaN stays NaN."""
    return limit if x > limit else x


def check_option(name: str, value: Any, allowed: Callable[[Any], bool], remedy: str) -> None:
    """Raise a ValueError unless a hyperparameter is a number that is `allowed`."""
    if not (isinstance(value, Real) and allowed(value)):
        raise ValueError(f"{name}={value!r} {remedy}")


class Loss(Spec):
    """Base of all losses.

    Attributes
    ----------
    kernel : Kernel
    link : str
        The activation that turns the raw output into a prediction.
    shared : tuple of str
        Hyperparameters that are the estimator's own, where the loss is given by name.
    """

    kernel: ClassVar[Kernel]
    link: ClassVar[str]
    shared: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def sharing(cls, parameters: Mapping[str, Any]) -> Self:
        """The loss with those of the estimator's parameters that it shares."""
        return cls(**{name: parameters[name] for name in cls.shared if name in parameters})

    def chosen_kernel(self) -> Kernel:
        """The kernel for these hyperparameters; most losses have but one."""
        return self.kernel

    def link_layer(self) -> Activation:
        """The link as a layer."""
        return Activation(self.link)

    def check(self) -> None:
        """Raise a ValueError if a hyperparameter is out of its range."""

    def options(self, dtype: str) -> np.ndarray:
        """The kernel's hyperparameters."""
        return np.zeros(0)

    def check_target(self, y: np.ndarray) -> None:
        """Raise a ValueError if the loss is not defined for these targets."""

    def targets(self, y: np.ndarray, weight: np.ndarray | None, dtype: str) -> Targets:
        """Targets and weights in the form the machine reads.

        Targets are of shape (n_samples, n_targets), or with an axis for steps, which weights then
        have as well, (n_samples, n_steps, n_targets).
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

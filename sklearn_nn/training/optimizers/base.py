"""Base class of first-order optimizers.

An optimizer never sees layers. Its kernel updates a span of `theta` and of the moments, given the
gradient and a row of numbers for the batch, which `scalars` computes for a run of batches at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from sklearn_nn._spec import Spec
from sklearn_nn.jit.kernel import Kernel

#: Smallest epsilon that kernels get: in float32 a smaller one is 0, and a zero gradient gives 0/0.
LEAST_EPSILON = 1e-37


class Optimizer(Spec):
    """Base class of optimizers.

    Attributes
    ----------
    name : str
        Value of `solver` that selects this class in estimators.
    kernel : Kernel
        Updates a span of theta and of the moments.
    shares : mapping of str to str
        Constructor arguments that are parameters of estimators too, and their names there.
    weight_decay : float
        Decoupled weight decay: before each update the machine multiplies every weight by
        ``1 - learning_rate * weight_decay``.
    """

    name: ClassVar[str]
    kernel: ClassVar[Kernel]
    shares: ClassVar[Mapping[str, str]] = {}
    weight_decay: float = 0.0

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial value of each moment, a vector with theta's layout."""
        raise TypeError(f"{type(self).__name__} must define initial_moments")

    @property
    def n_moments(self) -> int:
        """Number of moments."""
        return len(self.initial_moments())

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return the kernel's numbers for each batch, functions of its step and rate only.

        Parameters
        ----------
        steps : ndarray of shape (n_batches,)
            Number of each batch over all epochs, from 1.
        rates : float or ndarray of shape (n_batches,)
            Learning rates.

        Returns
        -------
        scalars : ndarray of shape (n_batches, n_scalars)
        """
        raise TypeError(f"{type(self).__name__} must define scalars")

    def _rows(self, n: int, *columns: np.ndarray | float) -> np.ndarray:
        """Return an array with these columns of length n; numbers become constant columns."""
        rows = np.empty((n, len(columns)))
        for k, column in enumerate(columns):
            rows[:, k] = column
        return rows

"""What a first-order optimizer is: a kernel over flat vectors, its moments and its numbers.

An optimizer never sees layers. It sees `theta`, `grad`, its own moments (of theta's layout), a
span of them to update, and a row of numbers for the batch at hand, which `scalars` computes for
a whole run of batches at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from sklearn_nn._spec import Spec
from sklearn_nn.jit.kernel import Kernel

#: Kernels get no smaller epsilon: in float32 it would be 0, and 0 / 0 where a gradient stays 0.
LEAST_EPSILON = 1e-37


class Optimizer(Spec):
    """Base of all optimizers.

    Attributes
    ----------
    kernel : Kernel
        Updates a span of theta and of the moments.
    shares : mapping of str to str
        Arguments of the constructor that are parameters of estimators too, and their names there.
    weight_decay : float
        Times the learning rate: the share of each weight to take away before each update. The
        machine does this, not the kernel, so that it is not scaled like a gradient ("decoupled").
    """

    kernel: ClassVar[Kernel]
    shares: ClassVar[Mapping[str, str]] = {}
    weight_decay: float = 0.0

    def initial_moments(self) -> tuple[float, ...]:
        """The value at which each moment begins; a moment is a vector of theta's layout."""
        raise TypeError(f"{type(self).__name__} must define initial_moments")

    @property
    def n_moments(self) -> int:
        """How many moments it keeps."""
        return len(self.initial_moments())

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """The kernel's numbers for each batch; they depend on nothing but its step and rate.

        Parameters
        ----------
        steps : ndarray of shape (n_batches,)
            Number of each batch over all epochs, from 1.
        rates : float or ndarray of shape (n_batches,)
            The schedule's learning rates.

        Returns
        -------
        scalars : ndarray of shape (n_batches, n_scalars)
        """
        raise TypeError(f"{type(self).__name__} must define scalars")

    def _rows(self, n: int, *columns: np.ndarray | float) -> np.ndarray:
        """Columns of length n, some of them constant, side by side."""
        rows = np.empty((n, len(columns)))
        for k, column in enumerate(columns):
            rows[:, k] = column
        return rows

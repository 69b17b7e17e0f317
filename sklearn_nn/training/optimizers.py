"""Optimizers: a kernel over flat vectors, and how many moments it keeps.

An optimizer never sees layers. It sees `theta`, `grad`, its own moments (of theta's layout), a
span of them to update, and a row of numbers for the batch at hand, which `scalars` computes for
a whole run of batches at once.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sklearn_nn._spec import Spec
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.network.driver import UPDATE


@kernel(UPDATE)
def sgd(scalars, rate, lo, hi, theta, grad, state):
    """v = momentum v - rate g; theta += v, or with Nesterov momentum v - rate g."""
    p, g, v = theta[lo:hi], grad[lo:hi], state[0, lo:hi]
    eta, momentum = like(theta[0], scalars[0] * rate), like(theta[0], scalars[1])
    if scalars[2] != 0:
        for i in range(p.size):
            velocity = momentum * v[i] - eta * g[i]
            v[i] = velocity
            p[i] += momentum * velocity - eta * g[i]
    else:
        for i in range(p.size):
            velocity = momentum * v[i] - eta * g[i]
            v[i] = velocity
            p[i] += velocity


@kernel(UPDATE)
def adam(scalars, rate, lo, hi, theta, grad, state):
    """m, v = running means of g and g^2; theta -= rate m / (sqrt(v) + epsilon)."""
    p, g, m, v = theta[lo:hi], grad[lo:hi], state[0, lo:hi], state[1, lo:hi]
    eta, epsilon = like(theta[0], scalars[0] * rate), like(theta[0], scalars[3])
    beta_1, beta_2 = like(theta[0], scalars[1]), like(theta[0], scalars[2])
    rest_1, rest_2 = like(theta[0], 1 - scalars[1]), like(theta[0], 1 - scalars[2])
    for i in range(p.size):
        m[i] = beta_1 * m[i] + rest_1 * g[i]
        v[i] = beta_2 * v[i] + rest_2 * (g[i] * g[i])
        p[i] -= eta * m[i] / (np.sqrt(v[i]) + epsilon)


class Optimizer(Spec):
    """Base of all optimizers.

    Attributes
    ----------
    kernel : Kernel
    n_moments : int
        How many vectors of theta's layout it remembers.
    """

    kernel: ClassVar[Kernel]
    n_moments: ClassVar[int]

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """The kernel's numbers for each batch.

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


class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    momentum : float, default=0.9
    nesterov : bool, default=True
        Look ahead along the velocity (Nesterov, 1983; in the form of Sutskever et al., 2013).
    """

    kernel = sgd
    n_moments = 1

    def __init__(self, momentum: float = 0.9, nesterov: bool = True) -> None:
        self.momentum = momentum
        self.nesterov = nesterov

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate, momentum, and whether Nesterov's."""
        return self._rows(steps.size, rates, self.momentum, float(self.nesterov))


class Adam(Optimizer):
    """Adam: adaptive moments, both corrected for their bias (Kingma & Ba, 2015, section 2).

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        How much of the mean of gradients and of their squares is kept at each step.
    epsilon : float, default=1e-8
        Added to the root, which is corrected for bias only afterwards, as in scikit-learn.
    """

    kernel = adam
    n_moments = 2

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate with the bias corrected, beta_1, beta_2, epsilon."""
        corrected = rates * np.sqrt(1 - self.beta_2**steps) / (1 - self.beta_1**steps)
        return self._rows(steps.size, corrected, self.beta_1, self.beta_2, self.epsilon)

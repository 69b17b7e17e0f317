"""Optimizers that scale each parameter's step by its own past squared gradients.

Adagrad, RMSprop and Adadelta; Adam and its variants are in `adam`.
"""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.network.parameter_update import UPDATE
from sklearn_nn.training.optimizers.base import LEAST_EPSILON, Optimizer

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


@kernel(UPDATE)
def adagrad(scalars, rate, lo, hi, theta, grad, state):
    """a += g^2; theta -= rate g / sqrt(a + epsilon)."""
    p, g, a = theta[lo:hi], grad[lo:hi], state[0, lo:hi]
    eta, epsilon = like(theta[0], scalars[0] * rate), like(theta[0], scalars[1])
    for i in range(p.size):
        a[i] += g[i] * g[i]
        p[i] -= eta * g[i] / np.sqrt(a[i] + epsilon)


@kernel(UPDATE)
def rmsprop(scalars, rate, lo, hi, theta, grad, state):
    """v = running mean of g^2; m = momentum m + rate g / sqrt(v + epsilon); theta -= m.

    If centered, v is replaced by the variance, v minus the squared running mean of g.
    """
    last = state.shape[0] - 1
    p, g, v = theta[lo:hi], grad[lo:hi], state[0, lo:hi]
    m, mean = state[min(1, last), lo:hi], state[last, lo:hi]  # read only if they exist
    eta, epsilon = like(theta[0], scalars[0] * rate), like(theta[0], scalars[1])
    zero = like(theta[0], 0.0)
    rho, rest = like(theta[0], scalars[2]), like(theta[0], 1 - scalars[2])
    momentum = like(theta[0], scalars[3])
    has_momentum, centered = scalars[3] != 0, scalars[4] != 0
    for i in range(p.size):
        spread = rho * v[i] + rest * (g[i] * g[i])
        v[i] = spread
        if centered:
            mean[i] = rho * mean[i] + rest * g[i]
            spread -= mean[i] * mean[i]
            spread = zero if spread < zero else spread
        step = eta * g[i] / np.sqrt(spread + epsilon)
        if has_momentum:
            step += momentum * m[i]
            m[i] = step
        p[i] -= step


@kernel(UPDATE)
def adadelta(scalars, rate, lo, hi, theta, grad, state):
    """v, u = running means of g^2, d^2; d = sqrt((u + epsilon) / (v + epsilon)) g."""
    p, g, v, u = theta[lo:hi], grad[lo:hi], state[0, lo:hi], state[1, lo:hi]
    eta, epsilon = like(theta[0], scalars[0] * rate), like(theta[0], scalars[1])
    rho, rest = like(theta[0], scalars[2]), like(theta[0], 1 - scalars[2])
    for i in range(p.size):
        v[i] = rho * v[i] + rest * (g[i] * g[i])
        step = np.sqrt((u[i] + epsilon) / (v[i] + epsilon)) * g[i]
        u[i] = rho * u[i] + rest * (step * step)
        p[i] -= eta * step


class Adagrad(Optimizer):
    """Adagrad: divides each step by the square root of the sum of all squared gradients so far.

    Duchi, Hazan & Singer, 2011, in Keras's form. PyTorch starts the sum at 0 and adds an epsilon of
    1e-10 to the square root, so that the first step of every parameter equals the learning rate.

    Parameters
    ----------
    initial_accumulator_value : float, default=0.1
        Initial sum of squares; the larger, the smaller the first steps.
    epsilon : float, default=1e-7
        Added inside the square root.
    """

    name = "adagrad"
    kernel = adagrad

    def __init__(self, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7) -> None:
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial sum of squares."""
        return (self.initial_accumulator_value,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate and epsilon for each batch."""
        return self._rows(steps.size, rates, max(self.epsilon, LEAST_EPSILON))


class RMSprop(Optimizer):
    """RMSprop: divides each gradient by the square root of the running mean of its squares.

    Tieleman & Hinton, 2012 (lecture 6.5); centered: Graves, 2013; in Keras's form. PyTorch has
    rho=0.99, adds an epsilon of 1e-8 to the square root, and applies the learning rate after the
    momentum, so that a change of the rate affects old steps too.

    Parameters
    ----------
    rho : float, default=0.9
        Exponential decay rate of the mean of squared gradients (and of gradients), in [0, 1).
    momentum : float, default=0.0
        Share of the last step that is added to the next, in [0, 1].
    centered : bool, default=False
        Divide by the standard deviation: subtract the squared mean of gradients.
    epsilon : float, default=1e-7
        Added inside the square root.
    """

    name = "rmsprop"
    kernel = rmsprop

    def __init__(
        self, rho: float = 0.9, momentum: float = 0.0, centered: bool = False, epsilon: float = 1e-7
    ) -> None:
        self.rho = rho
        self.momentum = momentum
        self.centered = centered
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """Return a zero for the mean of squares, the last step and the mean of gradients used."""
        return (0.0,) * (1 + (self.momentum != 0) + bool(self.centered))

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, epsilon, rho, momentum and the centered flag for each batch."""
        epsilon = max(self.epsilon, LEAST_EPSILON)
        return self._rows(steps.size, rates, epsilon, self.rho, self.momentum, float(self.centered))


class Adadelta(Optimizer):
    """Adadelta: scales gradients by the ratio of root mean squares of past steps and gradients.

    Zeiler, 2012, algorithm 1, in PyTorch's form. Keras has rho=0.95 and epsilon=1e-7. Steps hardly
    depend on the scale of the gradients and start very small; the paper's learning rate is 1.

    Parameters
    ----------
    rho : float, default=0.9
        Exponential decay rate of the means of squared gradients and steps, in [0, 1).
    epsilon : float, default=1e-6
        Added inside both square roots. The first step is about three times sqrt(epsilon).
    """

    name = "adadelta"
    kernel = adadelta

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-6) -> None:
        self.rho = rho
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial means of squared gradients and of squared steps."""
        return (0.0, 0.0)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, epsilon and rho for each batch."""
        return self._rows(steps.size, rates, max(self.epsilon, LEAST_EPSILON), self.rho)

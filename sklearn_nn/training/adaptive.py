"""Optimizers that scale each parameter's step by its own past gradients, without Adam's means.

Adagrad, RMSprop and Adadelta. Adam and its kin are in `optimizers`.
"""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.network.step import UPDATE
from sklearn_nn.training.first_order import LEAST_EPSILON, Optimizer


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

    Centered, the root is that of the variance: v less the square of the running mean of g.
    """
    last = state.shape[0] - 1
    p, g, v = theta[lo:hi], grad[lo:hi], state[0, lo:hi]
    m, mean = state[min(1, last), lo:hi], state[last, lo:hi]  # not read where there are none
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
    """v = running mean of g^2; d = sqrt((u + epsilon) / (v + epsilon)) g; u = that of d^2."""
    p, g, v, u = theta[lo:hi], grad[lo:hi], state[0, lo:hi], state[1, lo:hi]
    eta, epsilon = like(theta[0], scalars[0] * rate), like(theta[0], scalars[1])
    rho, rest = like(theta[0], scalars[2]), like(theta[0], 1 - scalars[2])
    for i in range(p.size):
        v[i] = rho * v[i] + rest * (g[i] * g[i])
        step = np.sqrt((u[i] + epsilon) / (v[i] + epsilon)) * g[i]
        u[i] = rho * u[i] + rest * (step * step)
        p[i] -= eta * step


class Adagrad(Optimizer):
    """Adagrad: each step divided by the root of all squared gradients so far, so steps shrink.

    Duchi, Hazan & Singer, 2011, in Keras's form. PyTorch's begins at 0 and adds an epsilon of
    1e-10 to the root, so that its first step has the size of the rate for every parameter.

    Parameters
    ----------
    initial_accumulator_value : float, default=0.1
        What the sum of squares begins at. The larger, the smaller the first steps.
    epsilon : float, default=1e-7
        Added inside the root.
    """

    kernel = adagrad

    def __init__(self, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7) -> None:
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """The sum of squares."""
        return (self.initial_accumulator_value,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate, epsilon."""
        return self._rows(steps.size, rates, max(self.epsilon, LEAST_EPSILON))


class RMSprop(Optimizer):
    """RMSprop: each gradient divided by the root of the running mean of its squares.

    Tieleman & Hinton, 2012 (lecture 6.5); centered: Graves, 2013; in Keras's form.
    PyTorch's keeps 0.99 of the mean, adds an epsilon of 1e-8 to the root, and multiplies by the
    rate what comes out of the momentum, so that a change of the rate bears on old steps too.

    Parameters
    ----------
    rho : float, default=0.9
        How much of the mean of squares (and of gradients) is kept at each step.
    momentum : float, default=0.0
        How much of the last step is added to the next.
    centered : bool, default=False
        Divide by the gradient's standard deviation: subtract the squared mean of gradients.
    epsilon : float, default=1e-7
        Added inside the root.
    """

    kernel = rmsprop

    def __init__(
        self,
        rho: float = 0.9,
        momentum: float = 0.0,
        centered: bool = False,
        epsilon: float = 1e-7,
    ) -> None:
        self.rho = rho
        self.momentum = momentum
        self.centered = centered
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """Mean of squares; the last step, with momentum; mean of gradients, if centered."""
        return (0.0,) * (1 + (self.momentum != 0) + bool(self.centered))

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate, epsilon, rho, momentum, and whether centered."""
        epsilon = max(self.epsilon, LEAST_EPSILON)
        return self._rows(steps.size, rates, epsilon, self.rho, self.momentum, float(self.centered))


class Adadelta(Optimizer):
    """Adadelta: steps in the parameter's own units, as large as past steps were.

    Zeiler, 2012, algorithm 1, in PyTorch's form. Keras's keeps 0.95 and has an epsilon of 1e-7.
    Steps hardly depend on the size of the gradients and begin very small; the paper's rate is 1.

    Parameters
    ----------
    rho : float, default=0.9
        How much of the means of squared gradients and squared steps is kept at each step.
    epsilon : float, default=1e-6
        Added inside both roots. The first step is about three times its root.
    """

    kernel = adadelta

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-6) -> None:
        self.rho = rho
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """Mean of squared gradients, mean of squared steps."""
        return (0.0, 0.0)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate, epsilon, rho."""
        return self._rows(steps.size, rates, max(self.epsilon, LEAST_EPSILON), self.rho)

"""Optimizers without a second moment: SGD and Lion."""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.network.parameter_update import UPDATE
from sklearn_nn.training.optimizers.base import Optimizer

__all__ = ["SGD", "Lion"]


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
def lion(scalars, rate, lo, hi, theta, grad, state):
    """theta -= rate sign(beta_1 m + (1 - beta_1) g); then m = beta_2 m + (1 - beta_2) g."""
    p, g, m = theta[lo:hi], grad[lo:hi], state[0, lo:hi]
    eta, zero = like(theta[0], scalars[0] * rate), like(theta[0], 0.0)
    beta_1, beta_2 = like(theta[0], scalars[1]), like(theta[0], scalars[2])
    rest_1, rest_2 = like(theta[0], 1 - scalars[1]), like(theta[0], 1 - scalars[2])
    for i in range(p.size):
        c = beta_1 * m[i] + rest_1 * g[i]
        m[i] = beta_2 * m[i] + rest_2 * g[i]
        # Neither above nor below zero: 0, or NaN, which must stay visible.
        p[i] -= eta if c > zero else (-eta if c < zero else c)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    The learning rate multiplies the gradient inside the velocity, as in scikit-learn and Keras, so
    that a change of the rate affects new gradients only. In PyTorch it multiplies the velocity; for
    a constant rate both are the same.

    Parameters
    ----------
    momentum : float, default=0.9
        Share of the velocity kept at each step, in [0, 1].
    nesterov : bool, default=True
        Use Nesterov momentum (Nesterov, 1983; in the form of Sutskever et al., 2013).
    """

    name = "sgd"
    kernel = sgd
    shares = {"momentum": "momentum", "nesterov": "nesterovs_momentum"}

    def __init__(self, momentum: float = 0.9, nesterov: bool = True) -> None:
        self.momentum = momentum
        self.nesterov = nesterov

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial velocity."""
        return (0.0,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, momentum and the Nesterov flag for each batch."""
        return self._rows(steps.size, rates, self.momentum, float(self.nesterov))


class Lion(Optimizer):
    """Lion: updates by the sign of a running mean of gradients (Chen et al., 2023, algorithm 2).

    Every parameter moves by the learning rate at each step, so the rate should be 3 to 10 times
    smaller than for Adam, and the weight decay as many times larger. Keras's form is the same.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Weight of the running mean against the gradient in the sign, in [0, 1).
    beta_2 : float, default=0.99
        Exponential decay rate of the running mean, in [0, 1).
    weight_decay : float, default=0.0
        Decoupled weight decay; a step multiplies each weight by 1 - learning_rate * weight_decay.
    """

    name = "lion"
    kernel = lion

    def __init__(
        self, beta_1: float = 0.9, beta_2: float = 0.99, weight_decay: float = 0.0
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.weight_decay = weight_decay

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial mean of gradients."""
        return (0.0,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, beta_1 and beta_2 for each batch."""
        return self._rows(steps.size, rates, self.beta_1, self.beta_2)

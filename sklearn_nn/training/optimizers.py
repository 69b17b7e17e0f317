"""Optimizers by name: SGD, Adam and its kin, Lion, and those of `adaptive`.

Each is a kernel over flat vectors and a class; `first_order` says what the class must give.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.network.step import UPDATE
from sklearn_nn.training.adaptive import Adadelta, Adagrad, RMSprop
from sklearn_nn.training.first_order import LEAST_EPSILON, Optimizer

__all__ = [
    "OPTIMIZERS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam",
    "Optimizer", "RMSprop", "get_optimizer",
]  # fmt: skip


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


@kernel(UPDATE)
def nadam(scalars, rate, lo, hi, theta, grad, state):
    """m, v as in adam; theta -= (rate g + rate' m) / (sqrt(v) + epsilon), rates of their own."""
    p, g, m, v = theta[lo:hi], grad[lo:hi], state[0, lo:hi], state[1, lo:hi]
    eta_g, eta_m = like(theta[0], scalars[0] * rate), like(theta[0], scalars[4] * rate)
    beta_1, beta_2 = like(theta[0], scalars[1]), like(theta[0], scalars[2])
    rest_1, rest_2 = like(theta[0], 1 - scalars[1]), like(theta[0], 1 - scalars[2])
    epsilon, correction = like(theta[0], scalars[3]), like(theta[0], scalars[5])
    for i in range(p.size):
        m[i] = beta_1 * m[i] + rest_1 * g[i]
        v[i] = beta_2 * v[i] + rest_2 * (g[i] * g[i])
        p[i] -= (eta_g * g[i] + eta_m * m[i]) / (np.sqrt(correction * v[i]) + epsilon)


@kernel(UPDATE)
def adamax(scalars, rate, lo, hi, theta, grad, state):
    """m = running mean of g; u = max(beta_2 u, |g| + epsilon); theta -= rate m / u."""
    p, g, m, u = theta[lo:hi], grad[lo:hi], state[0, lo:hi], state[1, lo:hi]
    eta, epsilon = like(theta[0], scalars[0] * rate), like(theta[0], scalars[3])
    beta_1, beta_2 = like(theta[0], scalars[1]), like(theta[0], scalars[2])
    rest_1 = like(theta[0], 1 - scalars[1])
    for i in range(p.size):
        m[i] = beta_1 * m[i] + rest_1 * g[i]
        old, new = beta_2 * u[i], abs(g[i]) + epsilon
        u[i] = old if old > new else new
        p[i] -= eta * m[i] / u[i]


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
        # What is neither above nor below zero is 0, or NaN, which must show.
        p[i] -= eta if c > zero else (-eta if c < zero else c)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    The rate is inside the velocity, as in scikit-learn and Keras: a change of the rate bears on
    new gradients only. PyTorch's multiplies the velocity; for a constant rate they are the same.

    Parameters
    ----------
    momentum : float, default=0.9
    nesterov : bool, default=True
        Look ahead along the velocity (Nesterov, 1983; in the form of Sutskever et al., 2013).
    """

    kernel = sgd
    shares = {"momentum": "momentum", "nesterov": "nesterovs_momentum"}

    def __init__(self, momentum: float = 0.9, nesterov: bool = True) -> None:
        self.momentum = momentum
        self.nesterov = nesterov

    def initial_moments(self) -> tuple[float, ...]:
        """The velocity."""
        return (0.0,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate, momentum, and whether Nesterov's."""
        return self._rows(steps.size, rates, self.momentum, float(self.nesterov))


class Adam(Optimizer):
    """Adam: adaptive moments, both corrected for their bias (Kingma & Ba, 2015, section 2).

    In the form of scikit-learn and Keras (where epsilon is 1e-7). PyTorch's adds epsilon to the
    corrected root, which makes the first steps on very small gradients larger.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        How much of the mean of gradients and of their squares is kept at each step.
    epsilon : float, default=1e-8
        Added to the root, which is corrected for bias only afterwards, as in scikit-learn.
    """

    kernel = adam
    shares = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """Mean of gradients, mean of squares."""
        return (0.0, 0.0)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate with the bias corrected, beta_1, beta_2, epsilon."""
        corrected = rates * np.sqrt(1 - self.beta_2**steps) / (1 - self.beta_1**steps)
        return self._columns(corrected)

    def _columns(self, rates: np.ndarray, *more: np.ndarray) -> np.ndarray:
        epsilon = max(self.epsilon, LEAST_EPSILON)
        return self._rows(rates.size, rates, self.beta_1, self.beta_2, epsilon, *more)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019, algorithm 2).

    Before each update, weights lose the share rate * weight_decay. PyTorch's default is the same,
    Keras's 0.004. Both decay biases too, which are spared here as they are by the L2 penalty.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        How much of the mean of gradients and of their squares is kept at each step.
    epsilon : float, default=1e-8
        Added to the root, which is corrected for bias only afterwards, as in scikit-learn.
    weight_decay : float, default=0.01
        Times the learning rate: the share of each weight that a step takes away.
    """

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(beta_1, beta_2, epsilon)
        self.weight_decay = weight_decay


class NAdam(Adam):
    """Adam with Nesterov's look-ahead and a momentum that grows (Dozat, 2016).

    In PyTorch's form. Keras's has a momentum_decay of 1, so that the momentum is near beta_1 after
    a hundred steps instead of twenty thousand, and an epsilon of 1e-7.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        How much of the mean of gradients and of their squares is kept at each step.
    epsilon : float, default=1e-8
        Added to the root after its bias is corrected.
    momentum_decay : float, default=4e-3
        At step t the momentum is beta_1 (1 - 0.96^(t momentum_decay) / 2).
    """

    kernel = nadam

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 4e-3,
    ) -> None:
        super().__init__(beta_1, beta_2, epsilon)
        self.momentum_decay = momentum_decay

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate of g, beta_1, beta_2, epsilon, rate of m, correction of v."""
        # The product of all momenta from step 1 on, in that order whatever steps are asked for.
        # It is below beta_1**step: after 40 / (1 - beta_1) steps, 1 less the product is 1.
        last = min(int(steps.max()), 1 + int(40 / (1 - self.beta_1)))
        products = np.cumprod(self._momentum(np.arange(1, last + 1)))
        product = products[np.minimum(steps, last) - 1]
        now, following = self._momentum(steps), self._momentum(steps + 1)
        return self._columns(
            rates * (1 - now) / (1 - product),
            rates * following / (1 - product * following),
            1 / (1 - self.beta_2**steps),
        )

    def _momentum(self, steps: np.ndarray) -> np.ndarray:
        return self.beta_1 * (1 - 0.5 * 0.96 ** (steps * self.momentum_decay))


class Adamax(Adam):
    """Adam with the largest gradient of late in place of the root (Kingma & Ba, 2015, section 7.1).

    In PyTorch's form. Keras's adds an epsilon of 1e-7 to the maximum instead of to ``|g|``.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        How much of the mean of gradients and of their largest size is kept at each step.
    epsilon : float, default=1e-8
        Added to the size of the gradient.
    """

    kernel = adamax

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate with the bias corrected, beta_1, beta_2, epsilon."""
        return self._columns(rates / (1 - self.beta_1**steps))


class Lion(Optimizer):
    """Lion: only the sign of a mean of gradients counts (Chen et al., 2023, algorithm 2).

    Every parameter moves by the rate at each step, so the rate should be 3 to 10 times smaller
    than Adam's, and the decay as much larger. Keras's is the same; PyTorch has none.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Weight of the mean against the gradient in the sign.
    beta_2 : float, default=0.99
        How much of the mean of gradients is kept at each step.
    weight_decay : float, default=0.0
        Times the learning rate: the share of each weight that a step takes away.
    """

    kernel = lion

    def __init__(
        self, beta_1: float = 0.9, beta_2: float = 0.99, weight_decay: float = 0.0
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.weight_decay = weight_decay

    def initial_moments(self) -> tuple[float, ...]:
        """Mean of gradients."""
        return (0.0,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Rate, beta_1, beta_2."""
        return self._rows(steps.size, rates, self.beta_1, self.beta_2)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "adamax": Adamax,
    "adadelta": Adadelta,
    "lion": Lion,
}


def get_optimizer(solver: str | Optimizer, parameters: Mapping[str, Any]) -> Optimizer:
    """The optimizer of a name; an object is returned as it is.

    Parameters
    ----------
    solver : str or Optimizer
    parameters : mapping of str to object
        An estimator's parameters. The optimizer takes those that its class shares, and its own
        defaults for what is not there.

    Raises
    ------
    ValueError
        If the name is not known.
    """
    if isinstance(solver, Optimizer):
        return solver
    if not isinstance(solver, str) or solver not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"solver={solver!r} is not known; use one of {known}, or an Optimizer.")
    made = OPTIMIZERS[solver]
    shared = {own: parameters[name] for own, name in made.shares.items() if name in parameters}
    return made(**shared)

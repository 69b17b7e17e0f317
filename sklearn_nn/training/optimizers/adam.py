"""Adam and its variants: AdamW, NAdam and Adamax."""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.network.parameter_update import UPDATE
from sklearn_nn.training.optimizers.base import LEAST_EPSILON, Optimizer

__all__ = ["Adam", "AdamW", "Adamax", "NAdam"]


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
    """m, v as in adam; theta -= (rate_g g + rate_m m) / (sqrt(correction v) + epsilon)."""
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


class Adam(Optimizer):
    """Adam: adaptive moment estimation with bias correction (Kingma & Ba, 2015, section 2).

    This is the form of scikit-learn and Keras (where epsilon is 1e-7). PyTorch adds epsilon to the
    corrected square root, which makes the first steps on very small gradients larger.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Exponential decay rates of the first- and second-moment estimates, in [0, 1).
    epsilon : float, default=1e-8
        Added to the square root before its bias is corrected, as in scikit-learn.
    """

    name = "adam"
    kernel = adam
    shares = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial means of gradients and of squared gradients."""
        return (0.0, 0.0)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return the bias-corrected rate, beta_1, beta_2 and epsilon for each batch."""
        corrected = rates * np.sqrt(1 - self.beta_2**steps) / (1 - self.beta_1**steps)
        return self._columns(corrected)

    def _columns(self, rates: np.ndarray, *more: np.ndarray) -> np.ndarray:
        epsilon = max(self.epsilon, LEAST_EPSILON)
        return self._rows(rates.size, rates, self.beta_1, self.beta_2, epsilon, *more)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019, algorithm 2).

    Before each update every weight is multiplied by 1 - learning_rate * weight_decay. PyTorch has
    the same default, Keras 0.004. Unlike there, biases do not decay, as with the L2 penalty.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Exponential decay rates of the first- and second-moment estimates, in [0, 1).
    epsilon : float, default=1e-8
        Added to the square root before its bias is corrected, as in scikit-learn.
    weight_decay : float, default=0.01
        Decoupled weight decay; a step multiplies each weight by 1 - learning_rate * weight_decay.
    """

    name = "adamw"

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
    """Adam with Nesterov momentum that grows towards beta_1 (Dozat, 2016).

    This is PyTorch's form. Keras has momentum_decay=1, so that the momentum is close to beta_1
    after a hundred steps instead of twenty thousand, and epsilon=1e-7.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Exponential decay rates of the first- and second-moment estimates, in [0, 1).
    epsilon : float, default=1e-8
        Added to the square root after its bias is corrected.
    momentum_decay : float, default=4e-3
        Rate of growth: at step t the momentum is beta_1 (1 - 0.96^(t momentum_decay) / 2).
    """

    name = "nadam"
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
        """Return rate_g, beta_1, beta_2, epsilon, rate_m and correction for each batch."""
        # The product of all momenta from step 1 on, in the same order for any `steps`. It is below
        # beta_1**step: after 40 / (1 - beta_1) steps, 1 - product rounds to 1.
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
    """Adam with the infinity norm in place of the second moment (Kingma & Ba, 2015, section 7.1).

    This is PyTorch's form. Keras adds an epsilon of 1e-7 to the maximum instead of to ``|g|``.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Exponential decay rates of the first moment and of the infinity norm, in [0, 1).
    epsilon : float, default=1e-8
        Added to the absolute value of the gradient.
    """

    name = "adamax"
    kernel = adamax

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return the bias-corrected rate, beta_1, beta_2 and epsilon for each batch."""
        return self._columns(rates / (1 - self.beta_1**steps))

"""First-order optimizers, the table of those that estimators accept by name, and their state.

An optimizer is a class and a kernel over flat vectors; it never sees layers. The kernel updates a
span of `theta` and of the moments, given the gradient and a row of numbers for the batch, which
`scalars` computes for many batches at once. A class with a `name` enters the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from sklearn_nn._spec import Spec, named_classes, parameters
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.network.machine import Update
from sklearn_nn.network.parameter_update import UPDATE
from sklearn_nn.network.program import aligned, allocate
from sklearn_nn.training.schedules import Progress, Schedule

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam", "Optimizer",
    "RMSprop",
]  # fmt: skip

#: Smallest epsilon that kernels get: in float32 a smaller one is 0, and a zero gradient gives 0/0.
LEAST_EPSILON = 1e-37
#: An epoch as schedules see it: its batches, the planned number of epochs, the samples seen before.
Epoch = tuple[int, int, int]
#: A schedule that plans the end has ended if its factors are at most this.
_NEXT_TO_NOTHING = 1e-3
#: Any other schedule has ended if the rate was 0 for this number of epochs; it may rise again.
_WITHOUT_RATE = 10


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
    rate_factor : float
        Usual learning rate, relative to that of Adam, for ``learning_rate_init="auto"``.
    weight_decay : float
        Decoupled weight decay: before each update the machine multiplies every weight by
        ``1 - learning_rate * weight_decay``.
    unnamed : str
        Ends the error about a value without a name.

    Examples
    --------
    An optimizer is a parameter of the estimator, and its own parameters can be searched over:

    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import Adam
    >>> model = MLPClassifier(solver=Adam())
    >>> model.set_params(solver__beta_2=0.99).solver
    Adam(beta_2=0.99)
    """

    name: ClassVar[str]
    kernel: ClassVar[Kernel]
    shares: ClassVar[Mapping[str, str]] = {}
    rate_factor: ClassVar[float] = 1.0
    weight_decay: float = 0.0
    unnamed: ClassVar[str] = "; the learning rate is learning_rate_init of the estimator"

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


@parameters
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

    Examples
    --------
    The weight of the line y = w x + b after each update, from 0 towards 1. Momentum overshoots:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import SGD
    >>> zeros = {"weight_init": "zeros", "bias_init": "zeros", "alpha": 0}
    >>> X, y = [[1.0], [2.0]], [1.0, 2.0]
    >>> for solver in (SGD(momentum=0), SGD(momentum=0.9, nesterov=False), SGD(momentum=0.9)):
    ...     line = MLPRegressor("squared_error", (), solver=solver, learning_rate_init=0.1, **zeros)
    ...     print([round(float(line.partial_fit(X, y).coefs_[0][0, 0]), 3) for _ in range(5)])
    [0.25, 0.415, 0.524, 0.597, 0.645]
    [0.25, 0.64, 1.024, 1.272, 1.315]
    [0.475, 0.846, 1.03, 1.043, 0.954]
    """

    name = "sgd"
    kernel = sgd
    rate_factor = 10.0
    shares = {"momentum": "momentum", "nesterov": "nesterovs_momentum"}
    limits = {"momentum": "[0, 1]"}

    _: KW_ONLY
    momentum: float = 0.9
    nesterov: bool = True

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial velocity."""
        return (0.0,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, momentum and the Nesterov flag for each batch."""
        return self._rows(steps.size, rates, self.momentum, float(self.nesterov))


@parameters
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

    Examples
    --------
    The weight of the line y = w x + b after each update: each step is the learning rate.

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Lion
    >>> zeros = {"weight_init": "zeros", "bias_init": "zeros", "alpha": 0}
    >>> line = MLPRegressor("squared_error", (), solver=Lion(), learning_rate_init=0.1, **zeros)
    >>> X, y = [[1.0], [2.0]], [1.0, 2.0]
    >>> [round(float(line.partial_fit(X, y).coefs_[0][0, 0]), 3) for _ in range(5)]
    [0.1, 0.2, 0.3, 0.4, 0.5]
    """

    name = "lion"
    kernel = lion
    limits = {"beta_1": "[0, 1)", "beta_2": "[0, 1)", "weight_decay": "[0, inf)"}
    rate_factor = 0.1

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.99
    weight_decay: float = 0.0
    unnamed: ClassVar[str] = "; the learning rate is learning_rate_init of the estimator"

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial mean of gradients."""
        return (0.0,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, beta_1 and beta_2 for each batch."""
        return self._rows(steps.size, rates, self.beta_1, self.beta_2)


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


@parameters
class Adam(Optimizer):
    """Adam: adaptive moment estimation with bias correction (Kingma & Ba, 2015, section 2).

    This is the form of scikit-learn and Keras (where epsilon is 1e-7). PyTorch adds epsilon to the
    corrected square root, which makes the first steps on very small gradients larger.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate, in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of the second-moment estimate, in [0, 1).
    epsilon : float, default=1e-8
        Added to the square root before its bias is corrected, as in scikit-learn.

    Examples
    --------
    A shorter memory of squared gradients than the usual one:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import Adam
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(
    ...     solver=Adam(beta_2=0.99), learning_rate_init=0.005, early_stopping=True, random_state=0
    ... )
    >>> round(model.fit(X[:1200] / 16, y[:1200]).score(X[1200:] / 16, y[1200:]), 1)
    0.9
    """

    name = "adam"
    kernel = adam
    shares = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}
    limits = {"beta_1": "[0, 1)", "beta_2": "[0, 1)", "epsilon": "[0, inf)"}

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

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


@parameters
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019, algorithm 2).

    Before each update every weight is multiplied by 1 - learning_rate * weight_decay. PyTorch has
    the same default, Keras 0.004. Unlike there, biases do not decay, as with the L2 penalty.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate, in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of the second-moment estimate, in [0, 1).
    epsilon : float, default=1e-8
        Added to the square root before its bias is corrected, as in scikit-learn.
    weight_decay : float, default=0.01
        Decoupled weight decay; a step multiplies each weight by 1 - learning_rate * weight_decay.

    Examples
    --------
    The decay makes weights small. Their root mean square with and without it:

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import AdamW
    >>> X, y = load_digits(return_X_y=True)
    >>> for decay in (0, 5):
    ...     solver = AdamW(weight_decay=decay)
    ...     model = MLPClassifier(solver=solver, learning_rate_init=0.01, random_state=0)
    ...     weights = model.fit(X / 16, y).coefs_[0]
    ...     print(decay, round(float(np.sqrt(np.mean(weights**2))), 1))
    0 0.3
    5 0.1
    """

    name = "adamw"
    limits = {**Adam.limits, "weight_decay": "[0, inf)"}

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01


@parameters
class NAdam(Adam):
    """Adam with Nesterov momentum that grows towards beta_1 (Dozat, 2016).

    This is PyTorch's form. Keras has momentum_decay=1, so that the momentum is close to beta_1
    after a hundred steps instead of twenty thousand, and epsilon=1e-7.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate, in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of the second-moment estimate, in [0, 1).
    epsilon : float, default=1e-8
        Added to the square root after its bias is corrected.
    momentum_decay : float, default=4e-3
        Rate of growth: at step t the momentum is beta_1 (1 - 0.96^(t momentum_decay) / 2).

    Examples
    --------
    The weight of the line y = w x + b after each update, for `Adam` and for NAdam:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Adam, NAdam
    >>> zeros = {"weight_init": "zeros", "bias_init": "zeros", "alpha": 0}
    >>> X, y = [[1.0], [2.0]], [1.0, 2.0]
    >>> for solver in (Adam(), NAdam()):
    ...     line = MLPRegressor("squared_error", (), solver=solver, learning_rate_init=0.1, **zeros)
    ...     print([round(float(line.partial_fit(X, y).coefs_[0][0, 0]), 3) for _ in range(5)])
    [0.1, 0.199, 0.297, 0.391, 0.482]
    [0.106, 0.177, 0.24, 0.299, 0.356]
    """

    name = "nadam"
    kernel = nadam
    limits = {**Adam.limits, "momentum_decay": "[0, inf)"}

    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 4e-3

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
    beta_1 : float, default=0.9
        Exponential decay rate of the first-moment estimate, in [0, 1).
    beta_2 : float, default=0.999
        Exponential decay rate of the infinity norm, in [0, 1).
    epsilon : float, default=1e-8
        Added to the absolute value of the gradient.

    Examples
    --------
    The weight of the line y = w x + b after each update. The first step is the learning rate:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Adamax
    >>> zeros = {"weight_init": "zeros", "bias_init": "zeros", "alpha": 0}
    >>> line = MLPRegressor("squared_error", (), solver=Adamax(), learning_rate_init=0.1, **zeros)
    >>> X, y = [[1.0], [2.0]], [1.0, 2.0]
    >>> [round(float(line.partial_fit(X, y).coefs_[0][0, 0]), 3) for _ in range(5)]
    [0.1, 0.192, 0.275, 0.351, 0.419]
    """

    name = "adamax"
    kernel = adamax
    rate_factor = 2.0

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return the bias-corrected rate, beta_1, beta_2 and epsilon for each batch."""
        return self._columns(rates / (1 - self.beta_1**steps))


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


@parameters
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

    Examples
    --------
    The weight of the line y = w x + b after each update. Steps become smaller and smaller:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import Adagrad
    >>> zeros = {"weight_init": "zeros", "bias_init": "zeros", "alpha": 0}
    >>> line = MLPRegressor("squared_error", (), solver=Adagrad(), learning_rate_init=0.1, **zeros)
    >>> X, y = [[1.0], [2.0]], [1.0, 2.0]
    >>> [round(float(line.partial_fit(X, y).coefs_[0][0, 0]), 3) for _ in range(5)]
    [0.099, 0.163, 0.212, 0.253, 0.287]
    """

    name = "adagrad"
    kernel = adagrad
    limits = {"initial_accumulator_value": "[0, inf)", "epsilon": "[0, inf)"}
    rate_factor = 10.0

    _: KW_ONLY
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial sum of squares."""
        return (self.initial_accumulator_value,)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate and epsilon for each batch."""
        return self._rows(steps.size, rates, max(self.epsilon, LEAST_EPSILON))


@parameters
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

    Examples
    --------
    The weight of the line y = w x + b after each update. The mean of squares begins at 0, which
    makes the first steps large:

    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import RMSprop
    >>> zeros = {"weight_init": "zeros", "bias_init": "zeros", "alpha": 0}
    >>> X, y = [[1.0], [2.0]], [1.0, 2.0]
    >>> for solver in (RMSprop(rho=0.9), RMSprop(rho=0.5)):
    ...     line = MLPRegressor("squared_error", (), solver=solver, learning_rate_init=0.1, **zeros)
    ...     print([round(float(line.partial_fit(X, y).coefs_[0][0, 0]), 3) for _ in range(5)])
    [0.316, 0.462, 0.542, 0.586, 0.611]
    [0.141, 0.246, 0.335, 0.415, 0.486]
    """

    name = "rmsprop"
    kernel = rmsprop
    limits = {"rho": "[0, 1)", "momentum": "[0, 1]", "epsilon": "[0, inf)"}
    rate_factor = 0.3

    _: KW_ONLY
    rho: float = 0.9
    momentum: float = 0.0
    centered: bool = False
    epsilon: float = 1e-7

    def initial_moments(self) -> tuple[float, ...]:
        """Return a zero for the mean of squares, the last step and the mean of gradients used."""
        return (0.0,) * (1 + (self.momentum != 0) + bool(self.centered))

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, epsilon, rho, momentum and the centered flag for each batch."""
        epsilon = max(self.epsilon, LEAST_EPSILON)
        return self._rows(steps.size, rates, epsilon, self.rho, self.momentum, float(self.centered))


@parameters
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

    Examples
    --------
    With the paper's learning rate of 1:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import Adadelta
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(
    ...     solver=Adadelta(), learning_rate_init=1.0, early_stopping=True, random_state=0
    ... )
    >>> round(model.fit(X[:1200] / 16, y[:1200]).score(X[1200:] / 16, y[1200:]), 1)
    0.9
    """

    name = "adadelta"
    kernel = adadelta
    limits = {"rho": "[0, 1)", "epsilon": "[0, inf)"}
    rate_factor = 300.0

    _: KW_ONLY
    rho: float = 0.9
    epsilon: float = 1e-6

    def initial_moments(self) -> tuple[float, ...]:
        """Return the initial means of squared gradients and of squared steps."""
        return (0.0, 0.0)

    def scalars(self, steps: np.ndarray, rates: np.ndarray | float) -> np.ndarray:
        """Return rate, epsilon and rho for each batch."""
        return self._rows(steps.size, rates, max(self.epsilon, LEAST_EPSILON), self.rho)


#: Optimizers by name.
OPTIMIZERS = {kind.name: kind for kind in named_classes(Optimizer, globals())}


def get_optimizer(solver: str | Optimizer, parameters: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of this name with the estimator's `parameters` that it shares.

    An `Optimizer` is returned unchanged; an unknown name raises ValueError.
    """
    if isinstance(solver, Optimizer):
        Spec.check(solver)
        return solver
    if not isinstance(solver, str) or solver not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"solver={solver!r} is not known; use one of {known}, or an Optimizer.")
    shares = OPTIMIZERS[solver].shares
    shared = {own: parameters[name] for own, name in shares.items() if name in parameters}
    return OPTIMIZERS[solver](**shared)


@dataclass
class OptimizerState:
    """State of a first-order optimizer, kept from batch to batch and from fit to fit."""

    optimizer: Optimizer
    schedule: Schedule
    base_rate: float  # learning rate that the schedule's factors multiply
    moments: np.ndarray  # of shape (n_moments, n_theta)
    #: Decoupled weight decay: each weight is multiplied by 1 - learning_rate * weight_decay before
    #: an update (Loshchilov & Hutter, 2019).
    weight_decay: float = 0.0
    step: int = 0  # number of batches trained on
    learning_rate: float = 0.0  # of the next batch
    average: np.ndarray | None = None  # running average of the parameters, if one is kept
    raw: np.ndarray | None = None  # the parameters themselves while `theta` holds the average
    decay_schedule: Schedule | None = None  # its factors multiply `weight_decay`
    epochs: float | None = None  # epochs of the schedule that are over; None if not counted yet
    stood_alone: bool = False  # whether the last epoch was a call of partial_fit
    ahead: int = 0  # difference between the number of batches that schedules see and `step`

    @classmethod
    def start(
        cls, optimizer: Optimizer, schedule: Schedule, rate: float, theta: np.ndarray, *,
        weight_decay: float | None = None, averaged: bool = False,
        decay_schedule: Schedule | None = None,
    ) -> OptimizerState:  # fmt: skip
        """Return the initial state; `weight_decay` None is that of the optimizer."""
        dtype = theta.dtype.name
        moments = allocate((optimizer.n_moments, theta.size), dtype)
        for row, value in zip(moments, optimizer.initial_moments(), strict=True):
            row[:] = value
        decay = optimizer.weight_decay if weight_decay is None else weight_decay
        average = allocate(theta.size, dtype) if averaged else None
        return cls(
            optimizer, schedule, float(rate), moments, weight_decay=float(decay),
            learning_rate=float(rate), average=average, decay_schedule=decay_schedule,
        )  # fmt: skip

    def copy(self) -> OptimizerState:
        """Return a copy that can be continued without changing this one."""
        average = None if self.average is None else aligned(self.average)
        return replace(self, moments=aligned(self.moments), average=average)

    def begin_epoch(self, epoch: Epoch, *, alone: bool) -> bool:
        """Prepare for an epoch; `alone` marks a call of partial_fit, whose data differ each time.

        Schedules then count the earlier epochs as if each had had as many batches as this one. A
        schedule that has reached its end and whose rates are nearly zero begins again. Returns
        whether it begins again although the previous epoch stood alone as well.
        """
        n_batches, max_epochs, _ = epoch
        if self.epochs is None:
            self.epochs = self.step / n_batches
        self.ahead = round(self.epochs * n_batches) - self.step if alone else 0
        is_over = alone and self.schedule.plans_the_end and self.epochs >= max_epochs
        if is_over:
            least = _NEXT_TO_NOTHING * self.base_rate
            is_over = bool(np.all(self.rates(n_batches, epoch) <= least))
        begins_again = is_over and self.stood_alone
        if is_over:
            self.epochs, self.ahead = 0.0, -self.step
        self.stood_alone = alone
        return begins_again

    def is_without_rate(self, epoch: Epoch, before: Sequence[float]) -> bool:
        """Return whether the rates of a schedule without a plan are 0 in this and earlier epochs.

        `before` holds the rates at which the earlier epochs began.
        """
        last = before[1 - _WITHOUT_RATE :]
        if self.schedule.plans_the_end or not max(before, default=0.0) > 0 == max(last):
            return False
        return not np.any(self.rates(epoch[0], epoch))

    def rates(self, n_batches: int, epoch: Epoch) -> np.ndarray | float:
        """Return the learning rates of the next batches."""
        if not self.schedule.varies():
            return self.base_rate
        first = self.step + self.ahead
        progress = Progress(np.arange(first, first + n_batches), *epoch)
        # A user-defined schedule may return any number type.
        rates = np.asarray(self.schedule.rates(self.base_rate, progress), np.float64)
        return rates if rates.ndim else float(rates)

    def update(self, n_batches: int, epoch: Epoch = (1, 1, 0)) -> Update:
        """Return the update of the parameters in the next batches."""
        rates = self.rates(n_batches, epoch)
        steps = np.arange(self.step, self.step + n_batches)
        done = steps + self.ahead if self.ahead else steps
        progress = done / (epoch[0] * epoch[1])
        if progress[-1] > 1:  # more epochs than planned
            progress = np.minimum(1.0, progress)
        dtype = "float32" if self.moments.itemsize == 4 else "float64"  # dtype.name takes 2 us
        decays = np.full(n_batches, rates * self.weight_decay) if self.weight_decay else None
        if decays is not None and self.decay_schedule is not None:
            decays *= self.decay_schedule.factors(Progress(done, *epoch))
        return Update(
            self.optimizer.kernel.address(dtype), self.optimizer.scalars(steps + 1, rates),
            self.moments, decays=decays, average=self.average, progress=progress,
        )  # fmt: skip

    def look_ahead(self, epoch: Epoch) -> None:
        """Set `learning_rate` to that of the next batch."""
        rates = self.rates(1, epoch)
        self.learning_rate = rates if isinstance(rates, float) else float(rates[0])

    def show_average(self, theta: np.ndarray) -> None:
        """Replace the parameters by their average and keep them in `raw`."""
        if self.average is None:
            return
        if self.raw is None and self.step > 0:
            self.raw = theta.copy()
        if self.raw is not None:  # also after an interrupt between these lines
            theta[:] = self.average

    def hide_average(self, theta: np.ndarray) -> None:
        """Restore the parameters so that training can continue.

        If the user has changed them, training and averaging continue from the user's values.
        """
        if self.average is not None and self.raw is not None:
            if np.array_equal(theta, self.average):
                theta[:] = self.raw
            else:
                self.average[:] = theta
        self.raw = None

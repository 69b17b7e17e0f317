"""Searches with a loss and an optimizer that this script defines, in the workers of Dask."""

import joblib
import numpy as np
from dask.distributed import Client
from sklearn.model_selection import cross_val_score

from sklearn_nn import MLPRegressor
from sklearn_nn.jit import njit
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.batch_loops import LOSS
from sklearn_nn.network.parameter_update import UPDATE
from sklearn_nn.training import Optimizer
from sklearn_nn.training.losses import Loss, row_weight


@njit()
def half(x):
    return x / 2


@kernel(LOSS)
def asymmetric(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: mean over outputs of f (z - y)^2 / 2. Gradient: f (z - y)."""
    lo, hi = owned_rows(z, part, parts)
    for i in range(lo, hi):
        w = row_weight(weight, rows[i])
        factor, total = like(w, w * scale), like(w, 0)
        below, above = like(w, options[0]), like(w, 1)
        for j in range(z.shape[1]):
            error = z[i, j] - target[rows[i], j]
            slope = (below if error < 0 else above) * error
            total += slope * error
            dz[i, j] = slope * factor
        losses[i] = half(w * total) / z.shape[1]


class AsymmetricSquaredError(Loss):
    kernel = asymmetric
    link = "identity"
    limits = {"factor": "(0, inf)"}

    def __init__(self, factor=2.0):
        self.factor = factor

    def options(self, dtype):
        return np.array([self.factor], dtype=np.float64)


@kernel(UPDATE)
def signum(scalars, rate, lo, hi, theta, grad, state):
    """m = beta m + (1 - beta) g; theta -= rate sign(m)."""
    p, g, m = theta[lo:hi], grad[lo:hi], state[0, lo:hi]
    eta, zero = like(theta[0], scalars[0] * rate), like(theta[0], 0)
    beta, rest = like(theta[0], scalars[1]), like(theta[0], 1 - scalars[1])
    for i in range(p.size):
        m[i] = beta * m[i] + rest * g[i]
        p[i] -= eta if m[i] > zero else (-eta if m[i] < zero else m[i])


class Signum(Optimizer):
    kernel = signum

    def __init__(self, beta=0.9):
        self.beta = beta

    def initial_moments(self):
        return (0.0,)

    def scalars(self, steps, rates):
        return np.column_stack(np.broadcast_arrays(rates, np.full(steps.size, self.beta)))


if __name__ == "__main__":
    client = Client()
    X = np.random.default_rng(0).standard_normal((100, 3))
    small = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
    for own in ({"loss": AsymmetricSquaredError(4.0)}, {"solver": Signum()}):
        network = MLPRegressor(**own, **small)
        one = cross_val_score(network, X, X[:, 0], cv=3)
        with joblib.parallel_config(backend="dask"):
            two = cross_val_score(network, X, X[:, 0], cv=3)
        print("equal" if np.array_equal(one, two) else (one, two))

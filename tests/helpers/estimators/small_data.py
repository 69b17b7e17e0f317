"""Small data and estimators for the tests of bad inputs."""

import numpy as np
import pytest

from sklearn_nn import MLPClassifier, MLPRegressor

BOTH = pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
SOLVERS = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
CLASSES = np.arange(60) % 3
NUMBERS = X @ np.arange(1.0, 6.0)


def make(Estimator, **parameters):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0}
    return Estimator(**{**defaults, **parameters})


def target(Estimator):
    return CLASSES if Estimator is MLPClassifier else NUMBERS


def partial_fit(estimator, X, y, **arguments):
    """A first call of partial_fit."""
    if isinstance(estimator, MLPClassifier):
        arguments["classes"] = [0, 1, 2]
    return estimator.partial_fit(X, y, **arguments)


def output(estimator, X):
    if isinstance(estimator, MLPClassifier):
        return estimator.predict_proba(X)
    return estimator.predict(X)


def fit_or_error(estimator, X, y):
    """Fit; either a ValueError, or outputs that are finite."""
    try:
        return output(estimator.fit(X, y), X)
    except ValueError:
        return np.zeros(0)

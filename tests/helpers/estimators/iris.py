"""The iris data, and estimators fitted to it."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier, MLPRegressor

BOTH = pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
SOLVERS = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
IRIS, SPECIES = load_iris(return_X_y=True)
IRIS = StandardScaler().fit_transform(IRIS)
LENGTH = IRIS[:, 2] + 0.1 * IRIS[:, 0]
LABELS = np.c_[SPECIES > 0, SPECIES == 1, IRIS[:, 0] > 0].astype(int)

SETTINGS = [
    {},
    {"solver": "sgd", "batch_size": 7},
    {"solver": "lbfgs"},
    {"dtype": "float32", "hidden_layer_sizes": (33, 17)},
    {"early_stopping": True, "alpha": 0.1},
]


def make(Estimator, **parameters):
    defaults = {"hidden_layer_sizes": 12, "max_iter": 15, "random_state": 0}
    return Estimator(**{**defaults, **parameters})


def target(Estimator):
    return SPECIES if Estimator is MLPClassifier else LENGTH


def fitted(Estimator, **parameters):
    return make(Estimator, **parameters).fit(IRIS, target(Estimator))


def output(estimator, X=IRIS):
    if isinstance(estimator, MLPClassifier):
        return estimator.predict_proba(X)
    return estimator.predict(X)


def assert_equal(a, b, X=IRIS):
    """Bit for bit."""
    np.testing.assert_array_equal(output(a, X), output(b, X))
    for mine, other in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(mine, other)

"""The iris data, and estimators fitted to it."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from helpers.estimators.mlp_problem import MLPProblem

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


_PROBLEM = MLPProblem(
    IRIS, SPECIES, LENGTH, {"hidden_layer_sizes": 12, "max_iter": 15, "random_state": 0}
)
make, target = _PROBLEM.make, _PROBLEM.target
fitted, output = _PROBLEM.fitted, _PROBLEM.output


def assert_equal(a, b, X=IRIS):
    """Assert that two models are equal bit for bit."""
    np.testing.assert_array_equal(output(a, X), output(b, X))
    for mine, other in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(mine, other)

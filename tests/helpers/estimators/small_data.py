"""Small data and estimators for the tests of bad inputs."""

import numpy as np

from helpers.estimators.mlp_problem import MLPProblem
from sklearn_nn import MLPClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
CLASSES = np.arange(60) % 3
NUMBERS = X @ np.arange(1.0, 6.0)


_PROBLEM = MLPProblem(
    X, CLASSES, NUMBERS, {"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0}
)
make, target, output = _PROBLEM.make, _PROBLEM.target, _PROBLEM.output


def partial_fit(estimator, X, y, **arguments):
    """Call partial_fit for the first time."""
    if isinstance(estimator, MLPClassifier):
        arguments["classes"] = [0, 1, 2]
    return estimator.partial_fit(X, y, **arguments)


def fit_or_error(estimator, X, y):
    """Return outputs after a fit; an empty array if it raises ValueError."""
    try:
        return output(estimator.fit(X, y), X)
    except ValueError:
        return np.zeros(0)

"""Small noisy data, and estimators for the tests of training control."""

import numpy as np

from helpers.estimators.mlp_problem import MLPProblem
from sklearn_nn import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
N = 200
X = RNG.standard_normal((N, 6))
NUMBERS = X[:, 0] - X[:, 1] ** 2 + 0.5 * RNG.standard_normal(N)
#: Three classes that no network can tell apart for certain.
CLASSES = np.digitize(NUMBERS, [-1.0, 0.2])
WEIGHTS = RNG.random(N) + 0.1
X_VAL = RNG.standard_normal((80, 6))
NUMBERS_VAL = X_VAL[:, 0] - X_VAL[:, 1] ** 2 + 0.5 * RNG.standard_normal(80)
CLASSES_VAL = np.digitize(NUMBERS_VAL, [-1.0, 0.2])


_PROBLEM = MLPProblem(
    X, CLASSES, NUMBERS,
    {
        "hidden_layer_sizes": (12, 6), "max_iter": 12, "batch_size": 32, "random_state": 3,
        "learning_rate_init": 0.01,
    },
)  # fmt: skip
make, target = _PROBLEM.make, _PROBLEM.target
fitted, output = _PROBLEM.fitted, _PROBLEM.output


def validation(Estimator):
    """Return the validation set, as arguments of fit."""
    y = CLASSES_VAL if Estimator is MLPClassifier else NUMBERS_VAL
    return {"X_val": X_VAL, "y_val": y}


def diverging(**parameters):
    """Return a regressor that diverges in its first epochs, on `1e3 * X`."""
    return make(MLPRegressor, **{"solver": "sgd", "learning_rate_init": 1e6, **parameters})


def assert_same_training(a, b):
    """Assert that weights, memories and curves are the same to the last bit."""
    np.testing.assert_array_equal(a._network.theta, b._network.theta)
    np.testing.assert_array_equal(a._network.state, b._network.state)
    assert a.loss_curve_ == b.loss_curve_
    assert a.validation_scores_ == b.validation_scores_
    assert a.best_iteration_ == b.best_iteration_
    assert a.n_iter_ == b.n_iter_
    assert a.t_ == b.t_

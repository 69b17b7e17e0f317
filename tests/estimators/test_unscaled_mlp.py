"""MLPs do not scale X and y, and say so if this is why nothing is learnt."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from sklearn_nn import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 4))
LABELS = (X[:, 0] > 0).astype(int)
NUMBERS = X[:, 0] - X[:, 1]
WINE, WINE_LABELS = load_wine(return_X_y=True)
TOLD = "no better than a constant"


def told(model, *data, **options):
    """The warning of a fit, if any; it comes once, at this line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data, **options)
    found = [w for w in caught if TOLD in str(w.message)]
    assert len(found) < 2
    assert all(w.filename == __file__ and w.category is ConvergenceWarning for w in found)
    return str(found[0].message) if found else None


@pytest.mark.parametrize("a", [1e5, 1e-5])
def test_inputs(a):
    slow = {"solver": "sgd", "random_state": 0, "max_iter": 30}
    slow |= {"learning_rate_init": 1e-9} if a > 1 else {}
    message = told(MLPClassifier(5, **slow), a * X, LABELS)
    assert "Columns of X have means up to" in message
    assert "make_pipeline(StandardScaler(), MLPClassifier(...))" in message
    assert "y has" not in message


def test_targets():
    model = MLPRegressor(random_state=0, max_iter=60)
    message = told(model, X, 1e4 * NUMBERS + 5e4)
    assert "y has mean 4.9" in message or "y has mean 5" in message
    assert "TransformedTargetRegressor(MLPRegressor(...), transformer=StandardScaler())" in message
    assert "Columns of X" not in message
    two = told(model, X, np.column_stack([1e4 + NUMBERS, NUMBERS - 1e4]))
    assert "y has means up to 1e+04" in two
    both = told(model, 1e-3 * X, 1e4 * NUMBERS + 5e4)
    assert "Columns of X" in both
    assert "y has" in both


def test_the_remedy_works():
    y = 1e4 * NUMBERS + 5e4
    model = MLPRegressor(random_state=0, max_iter=60)
    scaled = make_pipeline(
        StandardScaler(), TransformedTargetRegressor(model, transformer=StandardScaler())
    )
    assert told(scaled, 1e-3 * X, y) is None
    assert scaled.score(1e-3 * X, y) > 0.9


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_few_rows_and_a_loss_far_above_that_of_a_constant(dtype):
    told_of_wine = told(MLPClassifier((8,), random_state=1, dtype=dtype), WINE, WINE_LABELS)
    assert "Columns of X have means up to 747" in told_of_wine
    assert "make_pipeline(StandardScaler(), MLPClassifier(...))" in told_of_wine
    slow = {"solver": "sgd", "random_state": 0, "max_iter": 30, "learning_rate_init": 1e-12}
    far, several = 1e3 * X[:40], (X[:40, :3] > 0).astype(int)

    def opposite(rows, labels):
        """Labels of which a network that hardly learns knows none."""
        model = MLPClassifier(5, **slow)
        told(model, rows, labels)
        return 1 - model.predict(rows)

    wrong = opposite(far, LABELS[:40])
    assert told(MLPClassifier(5, **slow), far, wrong)
    assert told(MLPClassifier(5, **slow), far, opposite(far, several))
    assert "Columns of X" in told(MLPRegressor(hidden_layer_sizes=5, **slow), far, NUMBERS[:40])
    # With very few rows, and where the loss is that of a constant, nothing is said.
    assert told(MLPClassifier(5, **slow), far[:29], wrong[:29]) is None
    small = 1e-3 * X[:40]
    assert told(MLPClassifier(5, **slow), small, opposite(small, LABELS[:40])) is None


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_one_warning_if_training_explodes(kind):
    solver = "sgd" if kind is MLPClassifier else "adam"  # which ends with finite weights
    model = kind(solver=solver, learning_rate_init=1e6, max_iter=40, random_state=0)
    y = LABELS if kind is MLPClassifier else NUMBERS
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(1000 * X, y)
    messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    messages = [said for said in messages if "Maximum iterations" not in said]
    assert len(messages) == 1
    assert "exploded" in messages[0]


def test_one_warning_of_several_restarts_and_forms():
    y = 1e4 * NUMBERS + 5e4
    assert told(MLPRegressor(n_restarts=3, random_state=0, max_iter=20), X, y)
    assert told(MLPRegressor(random_state=0, max_iter=20), sparse.csr_matrix(X), y)
    assert told(MLPRegressor(random_state=0, max_iter=20, early_stopping=True), X, y)
    assert told(MLPRegressor(random_state=0, max_iter=20, loss="absolute_error"), X, y)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (MLPClassifier(random_state=0, max_iter=30), load_iris(return_X_y=True)),
        (MLPClassifier(8, random_state=1), (StandardScaler().fit_transform(WINE), WINE_LABELS)),
        (MLPClassifier(random_state=0, max_iter=30), load_digits(return_X_y=True)),
        (MLPClassifier(random_state=0), load_breast_cancer(return_X_y=True)),  # learns anyway
        (MLPRegressor(solver="lbfgs", random_state=0), load_diabetes(return_X_y=True)),
        (MLPRegressor(random_state=0, max_iter=30), (X, NUMBERS)),
        (MLPClassifier(random_state=0, max_iter=30), (X, RNG.integers(0, 2, 200))),  # noise
        (MLPClassifier(random_state=0, max_iter=9), (1e6 * X, LABELS)),  # hardly trained
        (MLPRegressor(random_state=0, max_iter=30), (X, np.full(200, 1e5))),
    ],
    ids=["iris", "wine", "digits", "cancer", "diabetes", "unit", "noise", "short", "constant"],
)
def test_ordinary_fits_are_silent(model, data):
    assert told(model, *data) is None


def test_partial_fit_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MLPRegressor(random_state=0)
        for _ in range(12):
            model.partial_fit(X, 1e6 * NUMBERS)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_silent_in_the_checks_of_scikit_learn(kind, monkeypatch):
    # Its checks of estimators with positive targets add to the numbers that others use later.
    monkeypatch.setattr(estimator_checks, "REGRESSION_DATASET", None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for estimator, check in estimator_checks.estimator_checks_generator(kind(random_state=0)):
            try:
                check(estimator)
            except Exception:  # test_common.py tests the results
                continue
    assert not [w for w in caught if TOLD in str(w.message) or "one-hot" in str(w.message)]

"""An epoch's loss: the mean over all targets by their weights, as it is for a validation set.

With a rate of next to nothing the weights are those of the end throughout, so that the loss of the
epoch is that of the same data as a validation set, and what the predictions give.
"""

import numpy as np
import pytest

from sklearn_nn import (
    CNNClassifier,
    MLPRegressor,
    NeuralNetworkRegressor,
    RNNClassifier,
    RNNRegressor,
    TabularRegressor,
)
from sklearn_nn.layers import Dense

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger than"),
]
STILL = {"learning_rate_init": 1e-200, "max_iter": 2, "random_state": 0}
SGD = {**STILL, "solver": "sgd", "alpha": 0.0, "dtype": "float64"}
LENGTHS = (40, 1, 2, 7, 2, 3, 11, 1)


def steps_of(kind, lengths, rng):
    """Sequences with targets for all steps that differ much between short ones and long ones."""
    X = [rng.standard_normal((n, 2)) for n in lengths]
    if kind is RNNRegressor:
        return X, [x[:, 0] + (100.0 if len(x) < 4 else 0.0) for x in X]
    return X, [np.where(np.arange(n) % 3 == n % 2, "a", "b") for n in lengths]


def assert_both_losses_are_one(model, X, y, weight=None):
    """Of the epochs of fit, and of a call of partial_fit on more than one batch."""
    told = {} if weight is None else {"sample_weight": weight}
    of_validation = {"X_val": X, "y_val": y}
    if weight is not None:
        of_validation["sample_weight_val"] = weight
    model.fit(X, y, **told, **of_validation)
    if hasattr(model, "partial_fit"):
        model.partial_fit(X, y, **told, **of_validation)
    losses = model.history_["loss"]
    assert len(losses) in (2, 3)
    np.testing.assert_allclose(losses, model.history_["val_loss"], rtol=1e-6)
    assert model.loss_ == losses[-1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("truncation", [None, 3])
@pytest.mark.parametrize("batch_size", [1, 3, "auto"])
@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor])
def test_targets_of_steps(kind, batch_size, truncation, weighted, rng):
    X, y = steps_of(kind, LENGTHS, rng)
    weight = rng.integers(0, 4, len(X)).astype(float) if weighted else None
    model = kind(3, return_sequences=True, truncation=truncation, batch_size=batch_size, **SGD)
    assert_both_losses_are_one(model, X, y, weight)


@pytest.mark.parametrize("truncation", [None, 2])
def test_squared_error_of_steps_by_hand(truncation, rng):
    X, y = steps_of(RNNRegressor, LENGTHS, rng)
    weight = rng.uniform(0.1, 3, len(X))
    model = RNNRegressor(3, return_sequences=True, truncation=truncation, batch_size=2, **SGD)
    for given in (None, weight):
        model.fit(X, y, sample_weight=given)
        each = np.ones(len(X)) if given is None else given
        errors = [(p - q) ** 2 / 2 for p, q in zip(model.predict(X), y, strict=True)]
        weights, y_all = np.repeat(each, LENGTHS), np.concatenate(y)
        variance = np.average((y_all - np.average(y_all, weights=weights)) ** 2, weights=weights)
        wanted = np.average(np.concatenate(errors), weights=weights) / variance
        np.testing.assert_allclose(model.loss_curve_, wanted, rtol=1e-9)
        assert model.best_loss_ == min(model.loss_curve_)


def test_padded_array_is_the_list(rng):
    """NaN behind the end of a row."""
    X, y = steps_of(RNNRegressor, LENGTHS, rng)
    rows, targets = np.full((len(X), 40, 2), np.nan), np.zeros((len(X), 40))
    for k, (x, t) in enumerate(zip(X, y, strict=True)):
        rows[k, : len(x)], targets[k, : len(t)] = x, t
    model = RNNRegressor(3, return_sequences=True, batch_size=1, **SGD)
    listed = model.fit(X, y).loss_curve_
    assert model.fit(rows, targets).loss_curve_ == listed


def test_class_weights_of_steps(rng):
    X, y = steps_of(RNNClassifier, LENGTHS, rng)
    model = RNNClassifier(
        3, return_sequences=True, class_weight={"a": 5.0, "b": 0.5}, batch_size=1, **SGD
    )
    assert_both_losses_are_one(model, X, y)


@pytest.mark.parametrize(
    "model",
    [
        NeuralNetworkRegressor([Dense(3)], batch_size=2, **SGD),
        TabularRegressor("tabm", dropout=0.0, batch_size=2, **STILL),
        TabularRegressor("realmlp", dropout=0.0, n_networks=1, batch_size=2, **STILL),
    ],
)
def test_weighted_rows(model, rng):
    X, y = rng.standard_normal((9, 5)), np.arange(9.0) ** 2
    assert_both_losses_are_one(model, X, y, rng.integers(0, 5, 9) + 0.5)


@pytest.mark.parametrize("class_weight", [None, {0: 4.0, 1: 0.25}])
def test_weighted_classes_of_images(class_weight, rng):
    X, y = rng.standard_normal((9, 4, 4)), np.array([0, 1, 0, 0, 0, 1, 1, 0, 0])
    model = CNNClassifier(2, hidden_layer_sizes=(), class_weight=class_weight, batch_size=2, **SGD)
    assert_both_losses_are_one(model, X, y, rng.integers(0, 5, 9) + 0.5)


def test_mlps_count_batches_by_their_rows(rng):
    """As scikit-learn does."""
    X, y = rng.standard_normal((5, 3)), np.arange(5.0) ** 2
    weight = np.array([9.0, 1, 2, 0, 3])
    model = MLPRegressor(batch_size=2, shuffle=False, **SGD).fit(X, y, sample_weight=weight)
    errors = (model.predict(X) - y) ** 2 / 2
    own = [np.average(errors[k : k + 2], weights=weight[k : k + 2]) for k in (0, 2)]
    wanted = (2 * own[0] + 2 * own[1] + errors[4]) / 5
    np.testing.assert_allclose(model.loss_curve_, wanted)

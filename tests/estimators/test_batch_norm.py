"""Batch normalisation in estimators: batches of one row, and small ones among large ones."""

import numpy as np
import pytest

from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkRegressor,
)
from sklearn_nn.layers import GRU, Activation, BatchNorm, Conv2D, Dense, Flatten, GlobalMaxPool

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger than"),
]
FIT = {"batch_norm": True, "hidden_layer_sizes": (50,)}


def table(n=200, seed=0):
    """Rows of six numbers and their weighted sums."""
    X = np.random.default_rng(seed).standard_normal((n, 6))
    return X, X @ np.arange(6.0)


def memories(model):
    """Running means and variances, by layer."""
    return [
        array
        for arrays in model.layers_.values()
        for name, array in arrays.items()
        if name.startswith("moving_")
    ]


@pytest.mark.parametrize("rest", [1, 2])
def test_a_small_last_batch_does_not_spoil_the_others(rest):
    X, y = table()
    lost = []
    for seed in range(3):
        model = MLPRegressor(batch_size=64, max_iter=300, random_state=seed, **FIT)
        whole = model.fit(X[:64], y[:64]).score(X[:64], y[:64])
        more = 64 + rest
        lost.append(whole - model.fit(X[:more], y[:more]).score(X[:more], y[:more]))
    assert np.median(lost) < 0.1


def test_partial_fit_of_single_rows_leaves_a_fitted_model_what_it_is():
    X, y = table()
    model = MLPRegressor(max_iter=200, random_state=0, **FIT).fit(X, y)
    before, remembered = model.score(X, y), [array.copy() for array in memories(model)]
    for k in range(30):
        model.partial_fit(X[k : k + 1], y[k : k + 1])
    assert model.score(X, y) > before - 0.05
    for got, wanted in zip(memories(model), remembered, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("seed", range(2))
def test_a_stream_of_single_rows_from_the_start_is_learnt(seed):
    """Training and prediction use the same statistics, so that what is learnt holds."""
    X, y = table(seed=seed)
    model = MLPRegressor(learning_rate_init=0.02, random_state=seed, **FIT)
    for k in range(400):
        model.partial_fit(X[k % 200 : k % 200 + 1], y[k % 200 : k % 200 + 1])
    assert model.score(X, y) > 0.7


def test_a_fit_of_one_row():
    X, y = table(1)
    model = MLPRegressor(max_iter=5, random_state=0, **FIT).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    for mean, variance in zip(memories(model)[::2], memories(model)[1::2], strict=True):
        np.testing.assert_array_equal(mean, 0)
        np.testing.assert_array_equal(variance, 1)


def image_network():
    layers = [Conv2D(4, 3), BatchNorm(), Activation("relu"), Flatten(), Dense(8), BatchNorm()]
    return NeuralNetworkRegressor(layers, batch_size=16, max_iter=2, random_state=0)


def sequence_network():
    layers = [GRU(5, return_sequences=True), BatchNorm(), GlobalMaxPool(), Dense(8), BatchNorm()]
    return NeuralNetworkRegressor(layers, batch_size=16, max_iter=2, random_state=0)


@pytest.mark.parametrize(
    ("model", "shape"),
    [(image_network(), (3, 3, 1)), (image_network(), (5, 6, 2)), (sequence_network(), (4, 2))],
)
def test_one_row_at_the_end_of_an_epoch(model, shape, rng):
    """Where the row is one place, memory is that of the batches before; else it has a variance."""
    X, y = rng.standard_normal((17, *shape)), rng.standard_normal(17)
    found = []
    for n_jobs in (1, 2):
        model.set_params(n_jobs=n_jobs).fit(X, y)
        assert all(np.isfinite(array).all() for array in memories(model))
        before = [array.copy() for array in memories(model)]
        model.partial_fit(X[:1], y[:1])
        found.append([*memories(model), model.predict(X)])
        one_place = [shape == (3, 3, 1)] * 2 + [True] * 2
        same = [np.array_equal(a, b) for a, b in zip(before, memories(model), strict=True)]
        assert same == one_place
    for got, wanted in zip(*found, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("kind", [MLPClassifier, CNNClassifier])
def test_classifiers_take_single_rows(kind, rng):
    X = rng.standard_normal((33, 8, 8))
    X = X.reshape(33, 64) if kind is MLPClassifier else X
    y = np.arange(33) % 2
    model = kind(batch_norm=True, batch_size=16, max_iter=3, random_state=0).fit(X, y)
    for k in range(5):
        model.partial_fit(X[k : k + 1], y[k : k + 1])
    assert np.isfinite(model.predict_proba(X)).all()

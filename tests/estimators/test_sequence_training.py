"""Training of recurrent estimators: windows, dropout rates, targets of steps, short sequences."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_nn import (
    FeatureExtractor,
    NeuralNetworkClassifier,
    RNNClassifier,
    RNNRegressor,
)
from sklearn_nn.layers import GRU, Conv1D, Dropout, MaxPool1D
from sklearn_nn.network.machine import Machine

SMALL = {"hidden_size": 3, "max_iter": 3, "random_state": 0}


def series(rng, lengths):
    """Sequences of two channels, and whether the sum of the first one is positive so far."""
    X = [rng.standard_normal((n, 2)) for n in lengths]
    return X, [(np.cumsum(x[:, 0]) > 0).astype(int) for x in X]


# --- windows ------------------------------------------------------------------------------------


def test_windows_in_which_nothing_is_left_are_not_trained_on(rng, monkeypatch):
    """Batches of short sequences take as many steps as if there were no longer ones."""
    steps, train = [], Machine.train

    def count(*args, **kwargs):
        losses = train(*args, **kwargs)
        steps[-1] += len(losses)
        return losses

    monkeypatch.setattr(Machine, "train", count)
    X, y = series(rng, [4] * 6)
    long_x, long_y = series(rng, [40, 40, 38])
    options = {**SMALL, "max_iter": 1, "shuffle": False, "truncation": 4, "batch_size": 3}
    for more_x, more_y in (([], []), (long_x, long_y)):
        steps.append(0)
        RNNClassifier(return_sequences=True, **options).fit([*X, *more_x], [*y, *more_y])
    assert steps == [2, 2 + 10]


def test_the_loss_is_that_of_all_steps(rng):
    """With a rate of zero it is what the probabilities give, whatever the lengths."""
    X, y = series(rng, [10, 3, 7, 25, 1, 9])
    model = RNNClassifier(
        return_sequences=True, truncation=4, batch_size=2, solver="sgd", learning_rate_init=1e-12,
        alpha=0, dtype="float64", **SMALL,
    ).fit(X, y)  # fmt: skip
    p = np.concatenate(model.predict_proba(X))
    wanted = -np.mean(np.log(p[np.arange(len(p)), np.concatenate(y)]))
    np.testing.assert_allclose(model.loss_, wanted, rtol=1e-9)


def test_lbfgs_reads_no_windows(rng):
    X, y = series(rng, [12] * 4)
    model = RNNClassifier(return_sequences=True, truncation=4, solver="lbfgs", **SMALL)
    with pytest.raises(ValueError, match=r"truncation=4 trains window by window.*lbfgs"):
        model.fit(X, y)


def test_sparse_rows_in_windows(rng):
    X = rng.integers(0, 3, (8, 6)).astype(float)
    y = rng.integers(0, 2, (8, 6))
    model = RNNClassifier(return_sequences=True, truncation=3, input_shape=(6, 1), **SMALL)
    dense = model.fit(X, y).predict_proba(X)
    rows = sparse.csr_matrix(X)
    np.testing.assert_array_equal(model.fit(rows, y).predict_proba(rows), dense)


# --- parameters and targets ---------------------------------------------------------------------


def test_a_rate_of_dropout_for_each_layer(rng):
    X = rng.standard_normal((8, 5, 2))
    model = RNNRegressor(
        num_layers=2, hidden_layer_sizes=(4,), dropout=[0.1, 0.2, 0.3], **SMALL
    ).fit(X, X[:, 0, 0])  # fmt: skip
    rates = [layer.rate for _, layer in model._network.plan.layers if isinstance(layer, Dropout)]
    assert rates == [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="one for each of the 3 hidden layers"):
        model.set_params(dropout=[0.1, 0.2]).fit(X, X[:, 0, 0])


def test_first_batch_with_a_label_for_each_step(rng):
    X = rng.standard_normal((8, 5, 2))
    y = (X[:, :, 0] > 0).astype(int)
    model = RNNClassifier(return_sequences=True, **SMALL)
    model.partial_fit(X, y, classes=[0, 1])
    assert model.predict(X).shape == (8, 5)
    listed = RNNClassifier(return_sequences=True, **SMALL)
    listed.partial_fit(list(X), list(y), classes=[0, 1])
    np.testing.assert_array_equal(np.array(listed.predict_proba(X)), model.predict_proba(X))


def test_targets_of_steps_in_a_frame(rng):
    X = rng.standard_normal((8, 5, 2))
    y = X[:, :, 0]
    model = RNNRegressor(return_sequences=True, **SMALL)
    expected = model.fit(X, y).score(X, y)
    frame = pd.DataFrame(y)
    assert model.fit(X, frame).score(X, frame) == expected


def test_a_score_without_weights_of_unequal_sequences(rng):
    """Which steps there are is no weight of the user's."""
    X, _ = series(rng, [4, 6, 5, 3] * 5)
    model = RNNRegressor(
        return_sequences=True, early_stopping=True, scoring="neg_max_error", **SMALL
    ).fit(X, [x[:, 0] for x in X])  # fmt: skip
    assert np.isfinite(model.validation_scores_).all()


# --- short sequences ----------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [Conv1D(4, 4), MaxPool1D(4)])
def test_a_sequence_shorter_than_a_window_alone_and_in_company(rng, layer):
    X, _ = series(rng, [6, 9, 12, 7] * 4)
    y = np.arange(16) % 2
    model = NeuralNetworkClassifier([layer, GRU(3)], max_iter=2, random_state=0).fit(X, y)
    for n in (2, 3, 4, 5):
        alone = model.predict_proba([X[0][:n]])
        np.testing.assert_array_equal(alone[0], model.predict_proba([X[0][:n], X[2]])[0])


# --- errors -------------------------------------------------------------------------------------


def test_errors_say_what_to_do(rng):
    X, y = series(rng, [6, 9, 12, 7] * 4)
    labels = np.arange(16) % 2
    stacked = NeuralNetworkClassifier([GRU(3), GRU(3)])
    with pytest.raises(ValueError, match="or return_sequences=True in the recurrent layer before"):
        stacked.fit(X, labels)
    with pytest.raises(ValueError, match="dropout='a' does not suit GRU; use a number in"):
        NeuralNetworkClassifier([GRU(3, dropout="a")]).fit(X, labels)
    steps = RNNClassifier(return_sequences=True, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        steps.score(X, y, sample_weight=np.ones(3))
    pooled = RNNClassifier(pooling="max", **SMALL).fit(X, labels)
    assert FeatureExtractor(pooled).fit(X).transform(X[:2]).shape == (2, 3)
    with pytest.raises(
        ValueError, match=r"'lstm1' has an output for every step.*pooling over time"
    ):
        FeatureExtractor(pooled, layer="lstm1").fit(X).transform(X[:2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_in_windows(rng, dtype):
    """They are the same numbers, whether the last window is full or not."""
    X, y = rng.integers(0, 256, (6, 12, 2)).astype("uint8"), rng.integers(0, 2, (6, 12))
    model = RNNClassifier(return_sequences=True, truncation=5, dtype=dtype, **SMALL).fit(X, y)
    scaled = X.astype("float32") / np.float32(255)
    expected = model.predict_proba(scaled)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(np.array(model.predict_proba(list(X))), expected)

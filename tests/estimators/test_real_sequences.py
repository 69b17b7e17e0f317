"""Public sequences, of equal length and not, and a forecast.

The thresholds lie a little below what was measured (in parentheses).
"""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline

from helpers import real_sequences
from helpers.learning import learning, seeds
from sklearn_nn import (
    NeuralNetworkClassifier,
    RNNClassifier,
    RNNRegressor,
    SequenceScaler,
    sliding_windows,
)
from sklearn_nn.layers import GRU, Activation, BatchNorm, Conv1D, Dropout, MaxPool1D

pytestmark = [
    learning,
    pytest.mark.data,
]

#: Training to the end of the schedule, whatever the loss does before.
TRAINING = {
    "learning_rate": "onecycle",
    "tol": 0,
    "n_iter_no_change": 1000,
    "random_state": seeds(1)[0],
}
#: Settings for few sequences.
SMALL = {
    **TRAINING,
    "cell": "gru",
    "pooling": "max",
    "input_noise": 0.5,
    "dropout": 0.3,
    "learning_rate_init": 0.01,
}


def _read(read, *arguments):
    try:
        return read(*arguments)
    except FileNotFoundError as error:
        pytest.skip(str(error))


def _scaled(network):
    return make_pipeline(SequenceScaler(), network)


def test_japanese_vowels():
    """Nine speakers, in utterances of 7 to 29 steps (.984)."""
    (X, y), test = _read(real_sequences.archive, "JapaneseVowels")
    assert {len(x) for x in X} > {7, 26}
    assert (len(X), len(test[0]), X[0].shape[1]) == (270, 370, 12)
    model = _scaled(RNNClassifier(batch_size=32, max_iter=40, **SMALL)).fit(X, y)
    assert model.classes_.tolist() == list("123456789")
    assert model.score(*test) >= 0.97
    # A sequence's prediction does not depend on those beside it, which are longer.
    shortest = np.argsort([len(x) for x in test[0]])[:5]
    together = model.predict_proba(test[0])[shortest]
    for i, expected in zip(shortest, together, strict=True):
        np.testing.assert_array_equal(model.predict_proba([test[0][i]])[0], expected)
    # All steps count: the first three alone say less (.741).
    assert model.score([x[:3] for x in test[0]], test[1]) < 0.85


def test_italy_power_demand():
    """Summer or winter, from 67 days (.965; with other seeds .961 to .971)."""
    train, test = _read(real_sequences.archive, "ItalyPowerDemand")
    model = _scaled(RNNClassifier(batch_size=16, max_iter=150, **SMALL)).fit(*train)
    assert test[0].shape == (1029, 24, 1)
    assert model.score(*test) >= 0.945


def test_gun_point():
    """Convolutions shorten 150 steps before a GRU reads them (.987; other seeds .96 to .993)."""
    train, test = _read(real_sequences.archive, "GunPoint")
    layers = []
    for filters, width, pool in ((32, 8, 4), (64, 5, 2)):
        layers += [Conv1D(filters, width, padding="same"), BatchNorm(), Activation("relu")]
        layers += [MaxPool1D(pool)]
    model = NeuralNetworkClassifier(
        [*layers, GRU(32), Dropout(0.3)],
        batch_size=16,
        max_iter=60,
        learning_rate_init=0.01,
        clipnorm=1.0,
        **TRAINING,
    )
    assert _scaled(model).fit(*train).score(*test) >= 0.93


def test_indoor_movement():
    """From 19 to 129 steps; a quarter held out (.962; with other seeds .924 to .949)."""
    X, y = _read(real_sequences.indoor_movement)
    assert len(X) == 314
    assert (min(map(len, X)), max(map(len, X))) == (19, 129)
    split = StratifiedShuffleSplit(1, test_size=0.25, random_state=0).split(np.zeros(len(y)), y)
    train, test = next(split)
    options = {**SMALL, "pooling": "last", "input_noise": 0.3}
    model = _scaled(RNNClassifier(batch_size=32, max_iter=80, **options))
    model.fit([X[i] for i in train], y[train])
    assert model.score([X[i] for i in test], y[test]) >= 0.85


def test_bike_forecast():
    """The next 24 hours, against the same hours of the week before (.687 of their error)."""
    # Windows at every hour of the day: 5 and 24 have no divisor in common.
    train, (X, y) = _read(real_sequences.bike_windows, 5)
    # No hour of a test's forecast was trained on: 3509 hours lie behind the first 80 %.
    assert (X.shape, y.shape) == ((3486, 168, 9), (3486, 24))
    assert train[1].shape == (2769, 24)
    naive = np.sqrt(np.mean((y - X[:, :24, 0]) ** 2))
    assert 119 < naive < 121
    network = RNNRegressor(
        32,
        cell="gru",
        loss="absolute_error",
        batch_size=64,
        max_iter=20,
        learning_rate_init=0.01,
        **TRAINING,
    )
    forecast = real_sequences.RelativeForecast(network).fit(*train).predict(X)
    assert np.sqrt(np.mean((y - forecast) ** 2)) < 0.72 * naive


@pytest.mark.parametrize(("a", "b"), [(1000, 0), (1, 500), (-0.001, 20)])
def test_units_of_japanese_vowels(a, b):
    """As they are and in other units (.984 each)."""
    (X, y), test = _read(real_sequences.archive, "JapaneseVowels")
    options = {"batch_size": 32, "learning_rate_init": 0.01, "max_iter": 12, "random_state": 0}
    model = RNNClassifier(cell="gru", **options).fit([a * x + b for x in X], y)
    assert model.score([a * x + b for x in test[0]], test[1]) >= 0.95


def test_counts_of_bikes_as_they_are():
    """README's forecast of the next day (.60; yesterday's count .53)."""
    path = _read(real_sequences.find, "bike/day.csv")
    counts = np.loadtxt(path, delimiter=",", skiprows=1, usecols=15)
    assert counts.max() == 8714
    weeks, next_day = sliding_windows(counts, width=7)
    past, last = slice(0, -146), slice(-146, None)
    model = RNNRegressor(random_state=seeds(1)[0]).fit(weeks[past], next_day[past])
    assert model.score(weeks[last], next_day[last]) >= 0.55


def test_a_wave_far_from_zero():
    """Around 100, with an amplitude of 20 (1.000)."""
    X, y = sliding_windows(100 + 20 * np.sin(np.arange(800) / 8), width=30)
    model = RNNRegressor(16, random_state=0).fit(X[:600], y[:600])
    assert model.score(X[630:], y[630:]) >= 0.95

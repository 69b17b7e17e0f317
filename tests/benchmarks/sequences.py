"""Recurrent networks on real sequences: accuracy of classes, error of forecasts.

Run as ``python tests/benchmarks/sequences.py [row ...]``; rows are vowels, power, gun, motions,
indoor and bike, all by default. Data is read from $SKLEARN_NN_DATA or ../shared/data. Three seeds
each; channels are scaled by the training set. Settings were chosen by cross-validation on training
sets: of indoor on that of one fold, so that its other folds test on what was seen; of bike on the
last fifth of the training time, after two earlier settings had been tried on the test set.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from sklearn_nn import NeuralNetworkClassifier, RNNClassifier, RNNRegressor, SequenceScaler
from sklearn_nn.layers import GRU, Activation, BatchNorm, Conv1D, Dropout, GaussianNoise, MaxPool1D

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.real_sequences import (
    DAY,
    RelativeForecast,
    archive,
    bike_windows,
    indoor_movement,
)

warnings.simplefilter("ignore", ConvergenceWarning)

SEEDS = (0, 1, 2)
#: Training to the end of a schedule, whatever the loss does before.
TRAINING = {"learning_rate": "onecycle", "tol": 0, "n_iter_no_change": 10**6}
SMALL = {**TRAINING, "learning_rate_init": 0.01}


def network(random_state, **options):
    """A GRU on scaled channels, with noise and dropout against small training sets."""
    options = {**SMALL, "cell": "gru", "dropout": 0.3, **options}
    return make_pipeline(SequenceScaler(), RNNClassifier(random_state=random_state, **options))


def convolutions(random_state):
    """Two convolutions shorten a sequence to an eighth, before a GRU reads it."""
    layers = [GaussianNoise(0.1)]
    for filters, width, pool in ((32, 8, 4), (64, 5, 2)):
        layers += [
            Conv1D(filters, width, padding="same"), BatchNorm(), Activation("relu"),
            MaxPool1D(pool),
        ]  # fmt: skip
    model = NeuralNetworkClassifier(
        [*layers, GRU(64), Dropout(0.3)], batch_size=16, max_iter=100, clipnorm=1.0,
        random_state=random_state, **SMALL,
    )  # fmt: skip
    return make_pipeline(SequenceScaler(), model)


def report(name, unit, measure, best=max):
    """One row: mean and worst figure over the seeds, and the mean of the seconds."""
    figures, seconds = [], []
    for seed in SEEDS:
        start = time.perf_counter()
        figures.append(measure(seed))
        seconds.append(time.perf_counter() - start)
    worst = min(figures) if best is max else max(figures)
    print(
        f"{name:<44} {unit} mean {np.mean(figures):8.4f}  worst {worst:8.4f}  "
        f"{np.mean(seconds):6.1f} s",
        flush=True,
    )
    return figures


def problem(name, make):
    """Test accuracy on a problem of the archive."""
    train, test = archive(name)
    report(
        f"{name}, {len(train[1])} + {len(test[1])}", "accuracy",
        lambda seed: make(seed).fit(*train).score(*test),
    )  # fmt: skip


def vowels():
    """Who speaks: 12 channels, 7 to 29 steps, 9 classes."""
    problem(
        "JapaneseVowels",
        lambda seed: network(seed, pooling="max", input_noise=0.5, batch_size=32, max_iter=60),
    )
    problem("JapaneseVowels", defaults)


def defaults(random_state):
    """Scaled channels and the estimator's defaults."""
    return make_pipeline(SequenceScaler(), RNNClassifier(random_state=random_state))


def power():
    """Summer or winter, by the electricity used in 24 hours."""
    problem(
        "ItalyPowerDemand",
        lambda seed: network(seed, pooling="max", input_noise=0.5, batch_size=16, max_iter=100),
    )
    problem("ItalyPowerDemand", defaults)


def gun():
    """Drawing a gun or pointing, 150 steps."""
    problem("GunPoint", convolutions)


def motions():
    """Four motions, 6 channels, 100 steps."""
    problem(
        "BasicMotions",
        lambda seed: network(seed, pooling="max", input_noise=0.5, batch_size=16, max_iter=60),
    )


def indoor():
    """Compare on walks that change rooms or not: 4 channels, 19 to 129 steps; five folds."""
    X, y = indoor_movement()

    def accuracy(seed):
        scores = []
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        for train, test in folds.split(np.zeros(len(y)), y):
            model = network(seed, input_noise=0.3, batch_size=32, max_iter=60)
            model.fit([X[i] for i in train], y[train])
            scores.append(model.score([X[i] for i in test], y[test]))
        return np.mean(scores)

    report("indoor movement, 5 folds of 314", "accuracy", accuracy)


def rmse(y, forecast):
    """Root of the mean squared error, over all windows and hours."""
    return float(np.sqrt(np.mean((y - forecast) ** 2)))


def bike():
    """Bicycles hired in each of the next 24 hours, from the 168 hours before."""
    train, (X, y) = bike_windows()
    week, day = rmse(y, X[:, :DAY, 0]), rmse(y, X[:, -DAY:, 0])
    print(f"bike, {len(train[1])} + {len(y)}: RMSE of a week before {week:.1f}, a day {day:.1f}")
    forecasts = []

    def error(seed):
        network = RNNRegressor(
            64, cell="gru", loss="absolute_error", batch_size=128, max_iter=15,
            learning_rate_init=0.005, random_state=seed, **TRAINING,
        )  # fmt: skip
        forecasts.append(RelativeForecast(network).fit(*train).predict(X))
        return rmse(y, forecasts[-1])

    figures = report("bike, GRU", "RMSE", error, best=min)
    together = rmse(y, np.mean(forecasts, axis=0))
    print(
        f"below a week before: mean {1 - np.mean(figures) / week:.1%}, worst "
        f"{1 - max(figures) / week:.1%}; the mean of the {len(SEEDS)} forecasts "
        f"{1 - together / week:.1%}"
    )


def main():
    """Print the rows named on the command line, or all."""
    rows = [vowels, power, gun, motions, indoor, bike]
    chosen = sys.argv[1:] or [f.__name__ for f in rows]
    for function in rows:
        if function.__name__ in chosen:
            function()


if __name__ == "__main__":
    main()

"""Default batch size, learning rate and number of epochs beside a grid, on eleven real problems.

Run as ``python tests/benchmarks/defaults.py [--seeds N] [problem ...]``; all problems by default.
For each problem it prints the score on a test set (accuracy or R^2, mean over seeds) of every cell
of a grid of four learning rates and four batch sizes. Then it compares the best cell, the defaults,
and the rate that `find_learning_rate` suggests, with the default batch size, by trainings from
other seeds, twice as many, since the best of sixteen is partly so by chance. All trainings have as
many epochs as the default. Data is read from $SKLEARN_NN_DATA or ../shared/data; digits are
scikit-learn's. The defaults were chosen on these problems.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from training import read_images

from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
    RNNRegressor,
    SequenceScaler,
    find_learning_rate,
    sliding_windows,
)
from sklearn_nn.layers import Activation, BatchNorm, Conv1D, Dense, GlobalAveragePool

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.real_sequences import archive, bike_hours, find, indoor_movement

warnings.simplefilter("ignore", ConvergenceWarning)

RATES, BATCH_SIZES = (0.001, 0.003, 0.01, 0.03), (16, 32, 64, 200)


def parted(X, y):
    """Return training and test set, a third of the samples."""
    labels = None if y.dtype.kind == "f" else y
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.33, stratify=labels, random_state=0)
    return (X, y), (X_test, y_test)


def digit_images():
    """Images of digits in float32, and their labels."""
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype("float32").reshape(-1, 8, 8), y


def digits():
    """CNN, 1,203 images of 8 x 8."""
    return parted(*digit_images()), CNNClassifier((16, 32))


def digits_dense():
    """Dense layers with batch normalization, 1,203 rows."""
    X, y = digit_images()
    layers = [Dense(64), BatchNorm(), Activation("relu")] * 2
    return parted(X.reshape(-1, 64), y), NeuralNetworkClassifier(layers)


def angles():
    """CNN that tells by how much a digit is turned, 1,084 images."""
    X, y = digit_images()
    angle = np.random.default_rng(0).uniform(-1, 1, np.count_nonzero(y))
    turned = [
        rotate(image, 45 * by, reshape=False, order=1)
        for image, by in zip(X[y != 0], angle, strict=True)
    ]
    return parted(np.array(turned), angle / angle.std()), CNNRegressor((16, 32))


def fashion():
    """CNN with dropout, Fashion-MNIST, 6,000 images of 28 x 28."""
    train, test = (
        (X[:n].reshape(-1, 28, 28), y[:n])
        for (X, y), n in ((read_images("train"), 6000), (read_images("t10k"), 4000))
    )
    return (train, test), CNNClassifier((32, 64), dropout=0.5)


def cifar():
    """CNN with dropout, CIFAR-10, 2,000 images of 32 x 32 x 3."""
    with np.load(find("cifar10/cifar10_5k_1k.npz")) as data:
        train = data["X_train"][:2000], data["y_train"][:2000]
        return (train, (data["X_test"], data["y_test"])), CNNClassifier((32, 64), dropout=0.5)


def vowels():
    """GRU in both directions, JapaneseVowels, 270 sequences of 7 to 29 steps."""
    return archive("JapaneseVowels"), RNNClassifier(64, cell="gru", bidirectional=True)


def vowels_lstm():
    """LSTM, the same sequences."""
    return archive("JapaneseVowels"), RNNClassifier(64)


def indoor():
    """GRU with pooling, walks in rooms, 210 sequences of 19 to 129 steps."""
    X, y = indoor_movement()
    (train, y_train), (test, y_test) = parted(np.arange(len(y)), y)
    sets = (([X[i] for i in train], y_train), ([X[i] for i in test], y_test))
    return sets, RNNClassifier(32, cell="gru", pooling="max")


def convolutions():
    """Two convolutions over time."""
    options = {"activation": "relu", "padding": "same"}
    layers = [Conv1D(32, 5, **options), Conv1D(32, 5, **options), GlobalAveragePool()]
    return NeuralNetworkClassifier(layers)


def power():
    """Two convolutions, ItalyPowerDemand, 67 days of 24 hours."""
    return archive("ItalyPowerDemand"), convolutions()


def motions():
    """Two convolutions, BasicMotions, 40 sequences of 100 steps."""
    train, test = archive("BasicMotions")
    scaler = SequenceScaler().fit(train[0])
    return [(scaler.transform(X), y) for X, y in (train, test)], convolutions()


def bike():
    """GRU, hired bicycles of the next hour, 1,999 windows of 48 hours."""
    series = bike_hours()
    cut = int(0.8 * len(series))
    series = (series - series[:cut].mean(axis=0)) / series[:cut].std(axis=0)
    series = series.astype("float32")
    train = sliding_windows(series[:cut], 48, 1, 7, target=0)
    return (train, sliding_windows(series[cut:], 48, 1, 3, target=0)), RNNRegressor(32, cell="gru")


PROBLEMS = [
    digits, digits_dense, angles, fashion, cifar, vowels, vowels_lstm, indoor, power, motions, bike,
]  # fmt: skip


def score(model, train, test, seeds):
    """Return the mean test score over seeds, and the last model; training that diverges has 0."""
    scores = []
    for seed in seeds:
        fitted = clone(model).set_params(random_state=seed)
        try:
            scores.append(max(0.0, fitted.fit(*train).score(*test)))
        except ValueError:
            scores.append(0.0)
    return float(np.mean(scores)), fitted


def report(problem, seeds):
    """Print a problem's grid, default and suggestion; return how far both are from the best."""
    began = time.perf_counter()
    (train, test), model = problem()
    seeds, others = range(seeds), range(seeds, 3 * seeds)
    default, fitted = score(model, train, test, others)
    settings = {
        "batch_size": fitted.batch_size_, "learning_rate_init": fitted.learning_rate_init_,
        "max_iter": fitted.max_iter_,
    }  # fmt: skip
    model.set_params(**settings)
    print(f"{problem.__name__}: {problem.__doc__} {settings['max_iter']} epochs.")
    print("batch   " + "".join(f"{rate:>8}" for rate in RATES))
    cells = {}
    for size in BATCH_SIZES:
        size_used = min(size, len(train[1]))
        for rate in RATES:
            model.set_params(batch_size=size_used, learning_rate_init=rate)
            cells[size_used, rate], _ = score(model, train, test, seeds)
        row = (cells[size_used, rate] for rate in RATES)
        print(f"{size:<8}" + "".join(f"{cell:8.3f}" for cell in row), flush=True)
    size, rate = max(cells, key=cells.get)
    model.set_params(batch_size=size, learning_rate_init=rate)
    best, _ = score(model, train, test, others)
    model.set_params(batch_size=settings["batch_size"], random_state=0)
    found = find_learning_rate(model, *train).suggestion
    suggested, _ = score(model.set_params(learning_rate_init=found), train, test, others)
    print(
        f"best {best:.3f} (batch {size}, rate {rate:g})  "
        f"default {default:.3f} (batch {settings['batch_size']}, rate "
        f"{settings['learning_rate_init']:g})  suggestion {suggested:.3f} (rate {found:.2g})  "
        f"{time.perf_counter() - began:.0f} s\n",
        flush=True,
    )
    return best - default, best - suggested


def main():
    """Print the problems named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", metavar="problem")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    chosen = [p for p in PROBLEMS if not options.problems or p.__name__ in options.problems]
    gaps = np.array([report(problem, options.seeds) for problem in chosen])
    default, suggested = np.count_nonzero(gaps <= 0.02, axis=0)
    print(f"within .02 of the best: default {default}, suggestion {suggested} of {len(gaps)}")


if __name__ == "__main__":
    main()

"""Fits of several networks: two threads against one, at once and one by one.

Run as ``python tests/benchmarks/networks.py [row ...]``; rows are restarts, lbfgs and tables, all
by default. Each line has the milliseconds of a fit with ``n_jobs=1``, and how many times as fast
two threads are: those that train one network after the other, which meet after each layer, and
those that train two networks at once, as ``n_jobs=2`` does. The last column is the ratio to
scikit-learn's MLP, fitted as many times, on two BLAS threads. Best of several rounds in turn.
"""

from __future__ import annotations

import sys
import time
import warnings
from unittest import mock

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as TheirMLP
from threadpoolctl import threadpool_limits

from sklearn_nn import CNNClassifier, MLPClassifier, TabularClassifier
from sklearn_nn.estimators._core import queue

warnings.simplefilter("ignore", ConvergenceWarning)
ROUNDS = 5
RNG = np.random.default_rng(0)


def made_up(n_rows, n_columns, n_classes=2):
    """Return random rows, and classes that depend on them."""
    X = RNG.standard_normal((n_rows, n_columns))
    odds = X @ RNG.standard_normal((n_columns, n_classes)) + RNG.gumbel(size=(n_rows, n_classes))
    return X, odds.argmax(axis=1)


def best_of(functions):
    """Return the seconds of the fastest call of each function, called in turn."""
    seconds = [[] for _ in functions]
    for _ in range(ROUNDS + 1):
        for function, own in zip(functions, seconds, strict=True):
            begun = time.perf_counter()
            function()
            own.append(time.perf_counter() - begun)
    return [min(own[1:]) for own in seconds]


def show(name, model, X, y, theirs=None, n_networks=1):
    """Print a line of the table."""

    def fit(n_jobs):
        model.set_params(n_jobs=n_jobs).fit(X, y)

    def one_by_one():
        with mock.patch.object(queue, "_size_for", return_value=1):
            fit(2)

    def scikit_learn():
        with threadpool_limits(2, "blas"):
            for seed in range(n_networks):
                theirs.set_params(random_state=seed).fit(X, y)

    calls = [lambda: fit(1), one_by_one, lambda: fit(2)]
    one, in_turn, at_once, *other = best_of(calls if theirs is None else [*calls, scikit_learn])
    ratio = f"{other[0] / at_once:12.1f}x" if other else ""
    figures = f"{one * 1e3:9.1f} ms {one / in_turn:12.2f}x {one / at_once:9.2f}x"
    print(f"{name:<52}{figures}{ratio}", flush=True)


def both(hidden, n_restarts, **parameters):
    """Return our MLP with restarts, and scikit-learn's without."""
    ours = MLPClassifier(hidden, n_restarts=n_restarts, random_state=0, **parameters)
    return ours, TheirMLP(hidden, **parameters)


def restarts():
    """Several initial weights, with Adam."""
    options = {"max_iter": 20, "n_iter_no_change": 100}
    digits = load_digits()
    for name, hidden, X, y, batch_size in [
        ("20-64-64-2, batch 32, 1,000 rows", (64, 64), *made_up(1000, 20), 32),
        ("64-100-10 (digits), batch 200", (100,), digits.data / 16, digits.target, 200),
    ]:
        model, theirs = both(hidden, 8, batch_size=batch_size, **options)
        show(f"n_restarts=8, {name}", model, X, y, theirs, 8)
    model.set_params(early_stopping="best")
    show("  the same, early_stopping='best'", model, X, y)
    X, y = made_up(2000, 784, 10)
    model, theirs = both((256, 128), 4, **{**options, "batch_size": 128, "max_iter": 4})
    model.set_params(early_stopping="best")
    show("n_restarts=4, 784-256-128-10, batch 128, best", model, X, y, theirs, 4)
    images = (digits.images / 16)[..., np.newaxis]
    model = CNNClassifier(early_stopping="best", max_iter=4, n_restarts=4, random_state=0)
    show("n_restarts=4, CNN with defaults, digits, best", model, images, digits.target)


def lbfgs():
    """Several initial weights, with L-BFGS."""
    for name, hidden, n_rows in [("20-10-2, 200 rows", (10,), 200), ("20-64-64-2", (64, 64), 2000)]:
        options = {"solver": "lbfgs", "max_iter": 50}
        model, theirs = both(hidden, 8, **options)
        show(f"n_restarts=8, lbfgs, {name}", model, *made_up(n_rows, 20), theirs, 8)


def tables():
    """Ensembles for tables: four networks by default."""
    for n_rows in (300, 2000):
        model = TabularClassifier(max_iter=10, random_state=0)
        show(f"TabularClassifier, {n_rows:,} rows of 20 numbers", model, *made_up(n_rows, 20))


ROWS = {f.__name__: f for f in (restarts, lbfgs, tables)}

if __name__ == "__main__":
    print(f"{'':<52}{'n_jobs=1':>12} {'one by one':>13} {'at once':>10} {'scikit-learn':>13}")
    for name in sys.argv[1:] or ROWS:
        ROWS[name]()

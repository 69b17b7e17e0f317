"""Command ``python -m sklearn_nn``: comparison with scikit-learn's MLP on its bundled data."""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from sklearn import neural_network as theirs
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import sklearn_nn as ours

TASKS = [
    ("digits", load_digits, "MLPClassifier", {"hidden_layer_sizes": (100,)}),
    ("breast cancer", load_breast_cancer, "MLPClassifier", {"hidden_layer_sizes": (64, 32)}),
    (
        "diabetes",
        load_diabetes,
        "MLPRegressor",
        {"hidden_layer_sizes": (64,), "solver": "sgd", "learning_rate_init": 1e-4, "alpha": 1.0},
    ),
]


def _train(module, name, parameters, X_train, y_train):
    """Return a fitted pipeline and the seconds it took."""
    model = make_pipeline(StandardScaler(), getattr(module, name)(random_state=0, **parameters))
    start = time.perf_counter()
    with threadpool_limits(1):  # one thread, as by default in this package
        model.fit(X_train, y_train)
    return model, time.perf_counter() - start


def _warm_up(dtype):
    """Compile the kernels of all tasks and return the seconds it took."""
    start = time.perf_counter()
    X = np.linspace(0, 1, 40, dtype=dtype).reshape(20, 2)
    for _, _, name, parameters in TASKS:
        y = X[:, 0] if name == "MLPRegressor" else np.arange(20) % 3
        for labels in (y, y % 2):
            _train(ours, name, {**parameters, "max_iter": 1}, X, labels)[0].predict(X)
    return time.perf_counter() - start


def main() -> None:
    """Train every task with both packages, on the same data from the same random numbers."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_nn", description=main.__doc__)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    dtype = parser.parse_args().dtype
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"Kernels are ready after {_warm_up(dtype):.1f} s (immediately from now on).\n")
    print(f"{'data':<15}{'samples':>8}{'epochs':>8}  {'held-out score':<28}{'seconds to fit':<28}")
    print(f"{'':<31}  {'sklearn_nn':<14}{'scikit-learn':<14}{'sklearn_nn':<14}{'scikit-learn':<14}")
    for data, load, name, parameters in TASKS:
        X, y = load(return_X_y=True)
        split = train_test_split(X.astype(dtype), y, test_size=0.25, random_state=0)
        X_train, X_test, y_train, y_test = split
        (a, a_seconds), (b, b_seconds) = (
            _train(module, name, parameters, X_train, y_train) for module in (ours, theirs)
        )
        scores = f"{a.score(X_test, y_test):<14.4f}{b.score(X_test, y_test):<14.4f}"
        seconds = f"{a_seconds:<14.3f}{b_seconds:<14.3f}{b_seconds / a_seconds:.1f} times faster"
        print(f"{data:<15}{len(X_train):>8}{a[-1].n_iter_:>8}  {scores}{seconds}")
    difference = np.max(np.abs(a.predict(X_test) - b.predict(X_test)))
    print(f"\nThe same model: predictions of the last one differ by at most {difference:.1e}.")


if __name__ == "__main__":
    main()

"""Time of many small fits, and of kernels that several processes need at once.

Usage: python tests/benchmarks/cluster.py [FITS]

Fits of 20-16-2 on 200 rows for 20 epochs, 10,000 of them by default: in one thread, in two threads,
in two processes, and scikit-learn's MLPClassifier in two processes. Then one fit in processes that
begin with an empty cache, one of them alone and two at once. One row per figure.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings

import joblib
import numpy as np
from sklearn.neural_network import MLPClassifier as ScikitLearn

from sklearn_nn import MLPClassifier

ROWS = np.random.default_rng(0).standard_normal((200, 20))
FIT = """
import warnings
import numpy as np
from sklearn_nn import MLPClassifier
warnings.simplefilter("ignore")
X = np.linspace(-1, 1, 120).reshape(60, 2)
MLPClassifier((4,), max_iter=3, early_stopping=True).fit(X, np.arange(60) % 3).predict(X)
"""


def fit(estimator, number):
    """Return the network of one group."""
    y = (ROWS[:, number % 20] > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 20 epochs do not converge
        return estimator((16,), max_iter=20, random_state=number).fit(ROWS, y)


def seconds_of_fits(estimator, n, **parallel):
    """Return the time of `n` fits."""
    run = joblib.Parallel(**parallel)
    run(joblib.delayed(fit)(estimator, k) for k in range(20))  # processes start and load kernels
    begun = time.perf_counter()
    run(joblib.delayed(fit)(estimator, k) for k in range(n))
    return time.perf_counter() - begun


def seconds_from_nothing(processes):
    """Return the time of a fit in some processes at once that share an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        command, environment = [sys.executable, "-c", FIT], {"SKLEARN_NN_CACHE_DIR": folder}
        begun = time.perf_counter()
        started = [
            subprocess.Popen(command, env=os.environ | environment) for _ in range(processes)
        ]
        assert [process.wait() for process in started] == [0] * processes
        return time.perf_counter() - begun


def main(n=10_000):
    """Print all figures."""
    ways = {
        "one thread": (MLPClassifier, {"n_jobs": 1}),
        "two threads": (MLPClassifier, {"n_jobs": 2, "backend": "threading"}),
        "two processes": (MLPClassifier, {"n_jobs": 2, "backend": "loky"}),
        "scikit-learn, two processes": (ScikitLearn, {"n_jobs": 2, "backend": "loky"}),
    }
    for name, (estimator, parallel) in ways.items():
        seconds = seconds_of_fits(estimator, n, **parallel)
        print(f"{n} fits of 20-16-2, {name}: {seconds:.1f} s, {1e3 * seconds / n:.2f} ms each")
    for processes in (1, 2):
        print(f"empty cache, {processes} processes: {seconds_from_nothing(processes):.1f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

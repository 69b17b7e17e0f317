"""Predictions of ONNX models in onnxruntime beside the estimators' own, in one thread each.

Run as ``python tests/benchmarks/onnx_models.py [row ...]``; rows are mlp, rows, cnn, lstm, gru,
table and tabm, all by default. For each batch it prints the time of a call and the ratio, above 1
where the estimator is faster, and the largest difference of probabilities.
"""

from __future__ import annotations

import functools
import sys
import time
import warnings

import numpy as np
import onnxruntime
import pandas as pd

from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    RNNClassifier,
    TabularClassifier,
    to_onnx,
)

warnings.simplefilter("ignore")
RNG = np.random.default_rng(0)
_FEW = {"max_iter": 1, "dtype": "float32", "random_state": 0}


def _images(*shape):
    return RNG.standard_normal((256, *shape)).astype("float32")


def _table():
    """Return six columns of numbers and eight of text, as many as of the census data "adult"."""
    numbers = {f"number {k}": RNG.standard_normal(256) for k in range(6)}
    words = {
        f"text {k}": RNG.choice([f"word {i}" for i in range(2 + 5 * k)], 256) for k in range(8)
    }
    return pd.DataFrame({**numbers, **words}).astype(dict.fromkeys(words, object))


def _inputs(X):
    """Return the inputs of a model: X, or a column each."""
    if isinstance(X, np.ndarray):
        return {"X": X}
    return {name: X[[name]].to_numpy() for name in X}


#: By row: a network, and samples.
ROWS = {
    "mlp": (MLPClassifier((256, 128), **_FEW), _images(784)),
    "rows": (MLPClassifier((100,), **_FEW), _images(20)),
    "cnn": (CNNClassifier((32, 64), hidden_layer_sizes=(64,), **_FEW), _images(28, 28, 1)),
    "lstm": (RNNClassifier(64, **_FEW), _images(50, 8)),
    "gru": (RNNClassifier(64, cell="gru", bidirectional=True, **_FEW), _images(50, 8)),
    "table": (TabularClassifier(**_FEW), _table()),
    "tabm": (TabularClassifier("tabm", **_FEW), _table()),
}


def _seconds(functions, repeats=7):
    """Return the shortest mean time of some calls of each function, taken in turn."""
    best = [np.inf] * len(functions)
    for function in functions:
        function()
    for _ in range(repeats):
        for k, function in enumerate(functions):
            start, calls = time.perf_counter(), 0
            while time.perf_counter() - start < 0.05:
                function()
                calls += 1
            best[k] = min(best[k], (time.perf_counter() - start) / calls)
    return best


def main(names):
    """Print a line for each row and batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    print(f"onnxruntime {onnxruntime.__version__}, one thread; microseconds a call")
    for name in names or ROWS:
        model, X = ROWS[name]
        model.fit(X, RNG.integers(0, 10, len(X)))
        own = onnxruntime.InferenceSession(to_onnx(model).SerializeToString(), options)
        for n in (1, 256):
            run = functools.partial(own.run, None, _inputs(X[:n]))
            predict = functools.partial(model.predict_proba, X[:n])
            theirs, ours = _seconds((run, predict))
            error = np.abs(run()[1] - predict()).max()
            print(
                f"{name:6} {n:4} rows: onnxruntime {1e6 * theirs:9.1f}  own {1e6 * ours:9.1f}  "
                f"ratio {theirs / ours:5.2f}  difference {error:.1e}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])

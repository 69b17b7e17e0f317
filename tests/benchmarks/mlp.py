"""MLP against scikit-learn's, and against torch where it is installed: one table.

Run as ``python tests/benchmarks/mlp.py [row ...]``; rows are training, threads, search, predict,
start and memory, all by default. Everything is measured on this machine, in this process (but
for `start` and `memory`, which need new ones), with BLAS limited to the same number of threads.
Ratios are theirs against ours: above 1 this package is faster.
"""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
import tempfile
import time
import warnings

import joblib
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_nn import MLPClassifier

warnings.simplefilter("ignore", ConvergenceWarning)


def best_of(function, repeats=5):
    """Seconds of the fastest of several calls, after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def paired(theirs, ours, repeats=5):
    """Fastest of several calls of each, taken in turn so that both see the same machine."""
    theirs()
    ours()
    times = [], []
    for _ in range(repeats):
        for function, seconds in zip((theirs, ours), times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return min(times[0]), min(times[1])


def row(what, theirs, ours, unit, scale, torch=None):
    """Print a line of the table."""
    other = "" if torch is None else f"{torch * scale:10.1f}{torch / ours:8.1f}x"
    figures = f"{theirs * scale:10.1f}{ours * scale:10.1f} {unit:<9}{theirs / ours:6.2f}x"
    print(f"{what:<52}{figures}{other}", flush=True)


def networks():
    """(name, X, y, hidden layers, batch size, epochs) of the training rows."""
    rng = np.random.default_rng(0)
    digits = load_digits()
    return [
        (
            "20-64-64-2, batch 32",
            rng.standard_normal((10_000, 20)),
            rng.integers(0, 2, 10_000),
            (64, 64),
            32,
            4,
        ),
        ("64-100-10 (digits), batch 200", digits.data / 16, digits.target, (100,), 200, 60),
        (
            "784-256-128-10, batch 128",
            rng.random((12_000, 784)),
            rng.integers(0, 10, 12_000),
            (256, 128),
            128,
            4,
        ),
    ]


def fit(estimator, X, y, hidden, batch, epochs, **parameters):
    """A fit of a fixed number of epochs."""
    return estimator(
        hidden, batch_size=batch, max_iter=epochs, tol=0, n_iter_no_change=10**6, random_state=0,
        **parameters,
    ).fit(X, y)  # fmt: skip


def torch_fit(X, y, hidden, batch, epochs):
    """The same training as a plain torch loop; None where torch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    sizes = (X.shape[1], *hidden, int(y.max()) + 1)
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(a, b, dtype=torch.from_numpy(X).dtype), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-6)
    data, labels = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for start in range(0, len(X), batch):
            rows = order[start : start + batch]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(data[rows]), labels[rows])
            loss.backward()
            optimizer.step()
    return model


def timed_torch(threads, *arguments):
    """Seconds of `torch_fit`, or None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    return best_of(lambda: torch_fit(*arguments), 2)


def training():
    """Microseconds a batch, one thread, both types."""
    for dtype in ("float32", "float64"):
        for name, X, y, hidden, batch, epochs in networks():
            arguments = (X.astype(dtype), y, hidden, batch, epochs)
            batches = -(-len(X) // batch) * epochs
            with threadpool_limits(1):
                theirs, ours = paired(
                    lambda a=arguments: fit(TheirMLP, *a),
                    lambda a=arguments: fit(MLPClassifier, *a),
                )
            torch = timed_torch(1, *arguments)
            per_batch = None if torch is None else torch / batches
            label = f"train {name}, {dtype}"
            row(label, theirs / batches, ours / batches, "us/batch", 1e6, per_batch)


def threads():
    """n_jobs=2 against n_jobs=1, and against two threads elsewhere."""
    name, X, y, hidden, batch, epochs = networks()[2]
    arguments = (X.astype("float32"), y, hidden, batch, epochs)
    batches = -(-len(X) // batch) * epochs
    one, two = paired(
        lambda: fit(MLPClassifier, *arguments), lambda: fit(MLPClassifier, *arguments, n_jobs=2)
    )
    row(f"{name}: n_jobs=1 / n_jobs=2", one / batches, two / batches, "us/batch", 1e6)
    with threadpool_limits(2):
        theirs = best_of(lambda: fit(TheirMLP, *arguments), 2)
    torch = timed_torch(2, *arguments)
    per_batch = None if torch is None else torch / batches
    row(f"{name}: two threads each", theirs / batches, two / batches, "us/batch", 1e6, per_batch)


def search():
    """GridSearchCV: 24 architectures and penalties, 5 folds; two processes, ours two threads."""
    X, y = load_breast_cancer(return_X_y=True)
    grid = {
        "mlp__hidden_layer_sizes": [(16,), (32,), (64,), (100,), (32, 32), (64, 32)],
        "mlp__alpha": [1e-4, 1e-3, 1e-2, 1e-1],
    }

    def run(estimator):
        pipeline = make_pipeline(StandardScaler(), estimator(random_state=0))
        pipeline.steps[-1] = ("mlp", pipeline.steps[-1][1])
        return GridSearchCV(pipeline, grid, cv=5, n_jobs=2).fit(X, y)

    os.environ["PYTHONWARNINGS"] = "ignore"  # for the worker processes

    def in_threads():
        with joblib.parallel_config(backend="threading"):
            return run(MLPClassifier)

    theirs, ours = paired(lambda: run(TheirMLP), in_threads, 2)
    row("GridSearchCV, 24 x 5 fits, breast_cancer, n_jobs=2", theirs, ours, "s", 1)


def repeated(calls, function, *arguments):
    """Call a function several times."""
    for _ in range(calls):
        function(*arguments)


def predict():
    """predict_proba of many rows and of one."""
    _, X, y, hidden, batch, _ = networks()[0]
    many = np.random.default_rng(1).standard_normal((100_000, 20))
    for dtype in ("float32", "float64"):
        a, b = (fit(e, X.astype(dtype), y, hidden, batch, 1) for e in (TheirMLP, MLPClassifier))
        for n, calls, label, unit, scale in (
            (100_000, 1, "100,000 rows", "ms", 1e3),
            (1, 100, "one row", "us", 1e6),
        ):
            rows = many[:n].astype(dtype)
            with threadpool_limits(1):
                theirs, ours = paired(
                    functools.partial(repeated, calls, a.predict_proba, rows),
                    functools.partial(repeated, calls, b.predict_proba, rows),
                    30,
                )
            scale /= calls
            row(f"predict_proba 20-64-64-2, {label}, {dtype}", theirs, ours, unit, scale)


_SCRIPT = """
import warnings; warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from {module} import MLPClassifier
X, y = load_iris(return_X_y=True)
MLPClassifier(random_state=0).fit(X, y).predict(X)
"""


def start():
    """A new process: import, fit iris, predict; with an empty and with a warm kernel cache."""

    def process(module, cache):
        environment = {**os.environ, "SKLEARN_NN_CACHE_DIR": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.perf_counter()
        command = [sys.executable, "-c", _SCRIPT.format(module=module)]
        subprocess.run(command, env=environment, check=True)
        return time.perf_counter() - started

    colds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as cache:
            colds.append(process("sklearn_nn", cache))
    cold = np.median(colds)
    with tempfile.TemporaryDirectory() as cache:
        process("sklearn_nn", cache)
        pairs = [
            (process("sklearn.neural_network", cache), process("sklearn_nn", cache))
            for _ in range(9)
        ]
    theirs, ours = np.median(pairs, axis=0)
    row("new process, empty cache: import, fit iris, predict", theirs, cold, "s", 1)
    row("new process, warm cache (median of 9)", theirs, ours, "s", 1)
    print(f"    warm wall time is {ours / theirs:.2f} of scikit-learn's")


_MEMORY = """
import warnings; warnings.simplefilter("ignore")
import numpy as np
from sklearn_nn import MLPClassifier
def status(name):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(name)) / 1024
rng = np.random.default_rng(0)
X = rng.standard_normal((1_000_000, 50), dtype="{dtype}")
model = MLPClassifier((64, 64), max_iter=1, random_state=0).fit(X[:2000].astype("{model}"),
    rng.integers(0, 2, 2000))
model.predict_proba(X[:2000])
open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
before = status("VmRSS")
model.{method}(X)
print(status("VmHWM") - before)
"""


def memory():
    """Peak memory of prediction on 1,000,000 x 50 rows beyond X itself (Linux)."""
    for dtype, model in (("float64", "float64"), ("float32", "float32"), ("float32", "float64")):
        for method in ("predict", "predict_proba"):
            code = _MEMORY.format(dtype=dtype, model=model, method=method)
            command = [sys.executable, "-c", code]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"{method} of 1,000,000 x 50 {dtype} rows, {model} model: {float(output):.0f} MB")


def main():
    """Print the rows named on the command line, or all."""
    rows = [training, threads, search, predict, start, memory]
    chosen = sys.argv[1:] or [f.__name__ for f in rows]
    print(f"{'':<52}{'theirs':>10}{'ours':>10} {'':<9}{'ratio':>7}{'torch':>10}{'ratio':>9}")
    for function in rows:
        if function.__name__ in chosen:
            function()


if __name__ == "__main__":
    main()

"""Fit on a file that is mapped into memory, and report how much memory that took beside the file.

Usage: python tests/helpers/processes/large_fit.py FOLDER DTYPE FORM COMPUTE MEGABYTES

Makes a sparse file of zeros of that size, of DTYPE, and reads it as FORM: "images", "rows",
"channels_first", "planes_apart" or "table". After a fit to a few samples, so that kernels are
there, the process may allocate no more than a quarter of the file (RLIMIT_DATA), and then fits with
a validation split, goes on by partial_fit, scores and predicts. Prints the peak of what Python and
NumPy have allocated since then, in bytes.
"""

import resource
import sys
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np

from sklearn_nn import MLPClassifier, NeuralNetworkClassifier, find_learning_rate
from sklearn_nn.layers import Dense, Flatten

SHAPE = (32, 32, 4)
LENGTH = 32 * 32 * 4


def data_size():
    """Return the bytes of private memory that the process may write to."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status says nothing of VmData")


def mapped(folder, dtype, form, megabytes):
    """Return zeros, none of which is in memory or on the disk."""
    n = megabytes * 10**6 // (LENGTH * np.dtype(dtype).itemsize)
    shape = (n, LENGTH)
    if form in ("images", "channels_first"):
        shape = (n, *SHAPE) if form == "images" else (n, SHAPE[2], *SHAPE[:2])
    path = Path(folder) / "X.dat"
    np.memmap(path, dtype, "w+", shape=shape).flush()
    return np.memmap(path, dtype, "r", shape=shape)


def network(form, compute):
    """Return a network with few units."""
    options = {"max_iter": 1, "batch_size": 100, "random_state": 0, "dtype": compute}
    options |= {"early_stopping": True}
    if form == "table":
        return MLPClassifier(2, **options)
    shape = {"input_shape": SHAPE} if form == "rows" else {}
    if form == "channels_first":
        shape["data_format"] = form
    return NeuralNetworkClassifier([Flatten(), Dense(3)], **shape, **options)


def work(model, X, y):
    """Run everything that reads X."""
    model.fit(X, y, X_val=X[:2000], y_val=y[:2000])
    model.fit(X, y)
    model.set_params(warm_start="resume", max_iter=2).fit(X, y)
    model.set_params(early_stopping=False).partial_fit(X, y)
    half = len(X) // 2
    model.partial_fit((X[i : i + half], y[i : i + half]) for i in (0, half))
    find_learning_rate(model, X, y, n_steps=3)
    return model.score(X, y)


def main():
    """Measure one case."""
    folder, dtype, form, compute, megabytes = sys.argv[1:]
    warnings.simplefilter("ignore")
    threading.stack_size(2**20)  # the limit counts a thread's whole stack, of which little is used
    X = mapped(folder, dtype, form, int(megabytes))
    y = np.arange(len(X)) % 3
    model = network(form, compute)
    work(model, X[:40], y[:40])
    room = data_size() + int(megabytes) * 10**6 // 4
    resource.setrlimit(resource.RLIMIT_DATA, (room, room))
    tracemalloc.start()
    work(network(form, compute), X, y)
    print(tracemalloc.get_traced_memory()[1])


if __name__ == "__main__":
    main()

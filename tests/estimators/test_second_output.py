"""A last layer in the form of the output layer, a habit of other libraries, is not silent."""

import warnings

import numpy as np
import pytest

import sklearn_nn
from sklearn_nn import NeuralNetworkClassifier, NeuralNetworkRegressor
from sklearn_nn.layers import GRU, Activation, Dense, Dropout, ParametricActivation

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 4))
TWO, THREE, LABELS = np.arange(30) % 2, np.arange(30) % 3, RNG.integers(0, 2, (30, 3))
LABELS[0] = 1
ONE_NUMBER, TWO_NUMBERS = X[:, 0], X[:, :2]


def told_by(call, *args, **options):
    """The warnings about layers, each of which points to the line of the call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args, **options)
    told = [one for one in caught if "output layer" in str(one.message)]
    assert all(one.filename == __file__ for one in told)
    return [str(one.message) for one in told]


def network(y, *layers, **options):
    is_class = y.dtype.kind == "i"
    kind = NeuralNetworkClassifier if is_class else NeuralNetworkRegressor
    return kind([Dense(5, "relu"), *layers], max_iter=1, random_state=0, **options)


@pytest.mark.parametrize(
    ("y", "layers", "text"),
    [
        (THREE, [Dense(3)], "Dense(units=3)"),
        (THREE, [Dense(3, "softmax")], "Dense(activation='softmax', units=3)"),
        (THREE, [Dense(3), Activation("softmax")], "Activation(activation='softmax')"),
        (THREE, [("last", Dense(3, "linear"))], "Dense(activation='linear', units=3)"),
        (TWO, [Dense(2)], "Dense(units=2)"),
        (TWO, [Dense(1, "sigmoid")], "Dense(activation='sigmoid', units=1)"),
        (TWO, [Dense(1), Activation("logistic")], "Activation(activation='logistic')"),
        (TWO, [Dense(2, "softmax"), ("skipped", "passthrough")], "softmax"),
        (LABELS, [Dense(3, "sigmoid")], "Dense(activation='sigmoid', units=3)"),
        (ONE_NUMBER, [Dense(1)], "Dense(units=1)"),
        (ONE_NUMBER, [Dense(1, "linear")], "Dense(activation='linear', units=1)"),
        (TWO_NUMBERS, [Dense(2)], "Dense(units=2)"),
    ],
)
def test_output_layers(y, layers, text):
    model = network(y, *layers)
    (told,) = told_by(model.fit, X, y)
    assert "layers ends with " in told
    assert text in told
    assert f"{type(model).__name__} adds the output layer itself" in told
    assert told.endswith("leave it out.")


@pytest.mark.parametrize(
    ("y", "layers"),
    [
        (THREE, [Dense(3, "relu")]),
        (THREE, [Dense(3, "sigmoid")]),
        (THREE, [Dense(4)]),
        (THREE, [Dense(3), Activation("tanh"), Activation("softmax")]),
        (THREE, [Dense(3, ParametricActivation("relu"))]),
        (THREE, [Dense(3), Dropout(0.1)]),
        (TWO, [Dense(2, "sigmoid")]),
        (TWO, [Activation("softmax")]),
        (ONE_NUMBER, [Dense(1, "sigmoid")]),
        (ONE_NUMBER, [Dense(2)]),
    ],
)
def test_hidden_layers_are_nothing_strange(y, layers):
    assert told_by(network(y, *layers).fit, X, y) == []


def test_it_is_said_once(tmp_path):
    model = network(THREE, Dense(3), n_restarts=3)
    (_,) = told_by(model.fit, X, THREE)
    assert told_by(model.partial_fit, X, THREE) == []
    assert told_by(model.predict, X) == []
    model.save(tmp_path / "model")
    assert told_by(sklearn_nn.load, tmp_path / "model") == []
    assert told_by(NeuralNetworkClassifier().fit, X, THREE) == []
    steps = NeuralNetworkClassifier([GRU(3), Dense(3)], input_shape=(4, 1), max_iter=1)
    (_,) = told_by(steps.fit, X, THREE)

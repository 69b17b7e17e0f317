"""Training whose loss is finite, but absurdly large, says so; no other training does."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
    TabularClassifier,
    TextGenerator,
)
from sklearn_nn.layers import BatchNorm, Dense

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 4))
Y = (X[:, 0] + 0.5 * RNG.standard_normal(90) > 0).astype(int)
TEXT = "the cat sat on the mat. " * 20


def told_by(call, *args, **options):
    """The warnings about explosions, each of which points to the line of the call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args, **options)
    told = [one for one in caught if "exploded" in str(one.message)]
    assert all(one.filename == __file__ for one in told)
    assert all(one.category is ConvergenceWarning for one in told)
    return [str(one.message) for one in told]


def mlp(kind=MLPClassifier, **parameters):
    return kind(**{"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0} | parameters)


def assert_once(told, rate="1e+06", factor=1e4, scaling=", scale the data (StandardScaler)"):
    (message,) = told
    start = "Training exploded: the loss rose from "
    assert message.startswith(start)
    first, last = message[len(start) :].split(" with ")[0].split(" to ")
    assert factor * float(first) < float(last) < np.inf
    assert f"learning rate of {rate};" in message
    remedies = f"lower learning_rate_init{scaling}, or limit the gradient, as by clipnorm=1."
    assert message.partition("; ")[2].startswith(remedies)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("solver", ["adam", "lion", "rmsprop"])
def test_solvers_and_types(solver, dtype):
    options = {"solver": solver, "learning_rate_init": 1e6, "dtype": dtype}
    assert_once(told_by(mlp(**options).fit, 1000 * X, Y))
    assert_once(told_by(mlp(MLPRegressor, **options).fit, X, X[:, 0]))


def test_large_inputs_and_a_large_rate():
    sgd = {"solver": "sgd", "learning_rate_init": 1e6, "max_iter": 100}
    assert_once(told_by(mlp(**sgd).fit, 1000 * X, Y))
    # The loss of the network before training is not small here, but ordinary.
    assert told_by(mlp(max_iter=1).fit, 1e5 * X, Y) == []
    assert told_by(mlp(MLPRegressor, max_iter=1).fit, 1e5 * X, X[:, 0]) == []


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (CNNClassifier(2, max_iter=3), 1000 * X.reshape(90, 4, 1)),
        (RNNClassifier(3, max_iter=3), 1000 * X.reshape(90, 4, 1)),
        (NeuralNetworkClassifier([BatchNorm(), Dense(4)], max_iter=3), 1000 * X),
    ],
    ids=lambda one: type(one).__name__,
)
def test_every_estimator(model, data):
    model.set_params(learning_rate_init=1e6, random_state=0)
    assert_once(told_by(model.fit, data, Y), scaling=", scale X (scale_inputs=True)")


def test_tables():
    model = TabularClassifier(max_iter=3, n_networks=1, learning_rate_init=1e3, random_state=0)
    assert_once(told_by(model.fit, X, Y), "1e+03", factor=2, scaling="")
    assert told_by(model.set_params(learning_rate_init=0.01).fit, X, Y) == []


def test_losses_with_an_upper_bound():
    for solver in ("adam", "sgd"):
        model = mlp(alpha=0, solver=solver, learning_rate_init=1e6, max_iter=20)
        assert_once(told_by(model.fit, X, Y), factor=2)


def test_texts():
    model = TextGenerator(8, num_layers=1, max_iter=3, sequence_length=20, batch_size=4)
    model.set_params(learning_rate_init=1e6, clipnorm=0, random_state=0)
    assert_once(told_by(model.fit, TEXT), factor=2, scaling="")
    assert told_by(model.set_params(learning_rate_init=0.01).fit, TEXT) == []


def test_calls_of_partial_fit():
    several, one = mlp(learning_rate_init=1e6, batch_size=9), mlp(learning_rate_init=1e6)
    assert_once(told_by(several.partial_fit, X, Y, classes=[0, 1]))
    assert told_by(several.partial_fit, X, Y) == []
    # The loss of an only batch is that before the update.
    assert told_by(one.partial_fit, X, Y, classes=[0, 1]) == []
    assert_once(told_by(one.partial_fit, X, Y))
    assert told_by(one.partial_fit, X, Y) == []
    # Later training is compared with the first epoch of all.
    model = mlp(warm_start=True)
    assert told_by(model.fit, X, Y) == []
    assert_once(told_by(model.set_params(learning_rate_init=1e6).fit, X, Y))


def test_best_weights_are_kept():
    model = mlp(early_stopping=True, learning_rate_init=1e6)
    (told,) = told_by(model.fit, X, Y)
    assert told.endswith("The best weights are kept.")


def test_ordinary_trainings_are_silent():
    heavy = np.abs(RNG.standard_cauchy(90)) ** 3
    for options in ({}, {"batch_size": 1}, {"solver": "lbfgs"}, {"solver": "sgd"}, {"alpha": 1e6}):
        assert told_by(mlp(max_iter=20, **options).fit, X, Y) == []
    for kind in ("poisson", "huber", "quantile"):
        assert told_by(mlp(MLPRegressor, loss=kind).fit, X, np.floor(np.exp(X[:, 0]))) == []
    for y in (heavy, 1e9 + X[:, 0], 1e-9 * X[:, 0], np.zeros(90)):
        for options in ({}, {"batch_size": 1}, {"shuffle": False, "batch_size": 1}):
            assert told_by(mlp(MLPRegressor, **options).fit, X, y) == []
    first = np.r_[np.zeros(10), np.full(80, 1e6)]  # the first batches are easy
    easy = mlp(MLPRegressor, batch_size=2, shuffle=False)
    assert told_by(easy.fit, first[:, np.newaxis] * 0, first) == []
    weights = np.r_[np.full(10, 1e-12), np.ones(80)]
    assert told_by(mlp().fit, X, Y, sample_weight=weights) == []

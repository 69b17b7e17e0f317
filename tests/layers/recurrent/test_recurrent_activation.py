"""The activation within a recurrence: states that grow, batches that go on, gradients."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.gradient_check import check_layers
from helpers.layer_cases.recurrent import draw, kinds
from helpers.layer_runs import LayerRun
from helpers.naive.recurrent import ACTIVATIONS
from helpers.parametrize import dtypes
from sklearn_nn import NeuralNetworkRegressor
from sklearn_nn.layers import Bidirectional, Dense, SimpleRNN
from sklearn_nn.layers.recurrent.cells import CELL_ACTIVATIONS

#: What is not the usual one, which the other files test.
OTHERS = tuple(name for name in CELL_ACTIVATIONS if name != "tanh")
activations = pytest.mark.parametrize("activation", OTHERS)


def test_naive_twins_are_complete():
    assert set(ACTIVATIONS) == set(CELL_ACTIVATIONS)


@pytest.mark.parametrize("activation", ["relu", "identity"])
@dtypes
@kinds
def test_a_state_does_not_grow_behind_the_end_of_a_row(kind, dtype, activation):
    """If zeros were read it would be infinite after some steps; a long row's own state is 0."""
    steps, units = 400, 3
    layer = kind(units, activation)
    runs = [LayerRun(layer, (steps, 1), dtype, lengths=n) for n in ([1, steps, 2], [1, 0, 2])]
    theta = np.zeros(runs[0].n_theta, dtype)
    kernel, recurrent, bias = runs[0].parameters(theta)
    kernel[:], bias[...] = -1, 1
    if bias.ndim == 2:
        bias[1] = 0
    first = {"SimpleRNN": 0, "LSTM": 2 * units, "GRU": 2 * units}[kind.__name__]
    recurrent[:, first : first + units] = 30 * np.eye(units)
    x = np.full((3, steps), 0.5, dtype)
    x[1] = 1
    dy = draw(dtype, 3, units)
    dy[1] = 0
    ys = [run.forward(theta, x) for run in runs]
    assert ys[0][[0, 2]].all()
    assert not ys[0][1].any()
    np.testing.assert_array_equal(*ys)
    (dx, grad), (expected_dx, expected) = (run.backward(theta, x, dy) for run in runs)
    np.testing.assert_array_equal(dx, expected_dx)
    scale = np.abs(expected).max()
    assert_close(grad / scale, expected / scale, dtype)


@activations
@kinds
def test_windows_are_the_whole_cut_up(kind, activation):
    """Batches that go on give the same to the last bit."""
    n, steps, features, units = 11, 4, 3, 6
    whole = draw("float32", n, 3 * steps, features)
    alone = LayerRun(kind(units, activation, return_sequences=True), whole.shape[1:], "float32")
    run = LayerRun(
        kind(units, activation, return_sequences=True), (steps, features), "float32", carries=True
    )
    theta = draw("float32", run.n_theta, scale=0.3)
    expected = alone.forward(theta, whole.reshape(n, -1)).reshape(n, 3, -1)
    for k, part in enumerate(np.split(whole, 3, axis=1)):
        window = part.reshape(n, -1).copy()
        np.testing.assert_array_equal(run.forward(theta, window), expected[:, k])
        run.go_on(theta, window)


@activations
@kinds
def test_gradient_check(kind, activation):
    """Through the machine: both ways, one that is turned, dropout, unequal lengths, threads."""
    settings = {"dropout": 0.3, "recurrent_dropout": 0.4}
    first = Bidirectional(kind(3, activation, return_sequences=True, **settings))
    second = kind(4, activation, return_sequences=True, go_backwards=True)
    layers = [first, second, kind(3, activation, **settings), Dense(2)]
    check_layers(layers, (6, 2), ragged=True, scale=0.3, seed=5, step=7)


def test_a_sum_is_learnt_by_a_recurrence_without_bounds():
    """h = h + x, which is the identity's to the last digit, and tanh's nowhere."""
    X = np.random.default_rng(0).standard_normal((200, 6, 1))
    y = X.sum(axis=(1, 2))
    scores = []
    for activation in ("linear", "sigmoid"):
        layer = SimpleRNN(1, activation)
        net = NeuralNetworkRegressor([layer], solver="lbfgs", max_iter=200, random_state=0)
        scores.append(net.fit(X, y).score(X, y))
    assert scores[0] > 0.999 > scores[1]

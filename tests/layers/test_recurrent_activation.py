"""The activation within a recurrence, against NumPy loops and central differences."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.gradient_check import check_gradient
from helpers.layer_cases.recurrent import Ragged, draw, kinds, ways
from helpers.layer_runs import LayerRun
from helpers.naive.random_numbers import Context
from helpers.naive.recurrent import ACTIVATIONS
from helpers.naive.recurrent import run as naive
from helpers.naive.recurrent import run_both_ways as naive_both_ways
from helpers.naive.vectors import dropout_mask
from helpers.parametrize import dtypes
from helpers.programs import draw_theta
from sklearn_nn import NeuralNetworkRegressor
from sklearn_nn.layers import Bidirectional, Dense, SimpleRNN
from sklearn_nn.layers.recurrent.activation import CELL_ACTIVATIONS
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.source import sequences
from sklearn_nn.training.losses import SquaredError

#: What is not the usual one, which the other files test.
OTHERS = tuple(name for name in CELL_ACTIVATIONS if name != "tanh")
activations = pytest.mark.parametrize("activation", OTHERS)
SIZES = [(1, 1, 1), (5, 6, 3), (16, 5, 3), (33, 4, 20)]


def check(run, theta, x, dy, expected, twin):
    """Values and gradients are those of a naive twin, and the same for any number of parts."""
    dtype = run.dtype
    y = run.forward(theta, x)
    dx, grad = run.backward(theta, x, dy)
    expected_dx, gradients = twin(dy.reshape(expected.shape).astype("float64"))
    pairs = [(y, expected), (dx, expected_dx), *zip(run.parameters(grad), gradients, strict=True)]
    for got, wanted in pairs:
        # Without bounds values differ in size, and cancel where they are summed.
        scale = max(1.0, np.abs(wanted).max())
        assert_close(got.reshape(wanted.shape) / scale, wanted / scale, dtype, factor=10)
    for parts in (2, 3):
        np.testing.assert_array_equal(run.forward(theta, x, parts), y)
        for other, one in zip(run.backward(theta, x, dy, parts), (dx, grad), strict=True):
            np.testing.assert_array_equal(other, one)


def test_naive_twins_are_complete():
    assert set(ACTIVATIONS) == set(CELL_ACTIVATIONS)


@ways
@activations
@dtypes
@kinds
def test_equals_naive(kind, dtype, activation, way):
    for units, steps, features in SIZES:
        layer = kind(units, activation, **way)
        for n in (1, 13):
            run = LayerRun(layer, (steps, features), dtype)
            theta, x = draw(dtype, run.n_theta, scale=0.3), draw(dtype, n, steps * features, seed=1)
            given = [p.astype("float64") for p in run.parameters(theta)]
            seen = x.reshape(n, steps, features).astype("float64")
            check(
                run, theta, x, draw(dtype, n, run.units, seed=2), naive(layer, given, seen),
                lambda dy, layer=layer, given=given, seen=seen: naive(layer, given, seen, dy),
            )  # fmt: skip


@pytest.mark.parametrize("returned", [False, True])
@activations
@dtypes
@kinds
def test_both_ways_equal_naive(kind, dtype, activation, returned):
    n, steps, features = 13, 6, 3
    layer = Bidirectional(kind(5, activation, return_sequences=returned))
    run = LayerRun(layer, (steps, features), dtype)
    theta, x = draw(dtype, run.n_theta, scale=0.3), draw(dtype, n, steps * features, seed=1)
    given = [p.astype("float64") for p in run.parameters(theta)]
    seen = x.reshape(n, steps, features).astype("float64")
    check(
        run, theta, x, draw(dtype, n, run.units, seed=2), naive_both_ways(layer, given, seen),
        lambda dy: naive_both_ways(layer, given, seen, dy),
    )  # fmt: skip


@ways
@activations
@dtypes
@kinds
def test_recurrent_dropout_equals_naive(kind, dtype, activation, way):
    n, steps, features, units = 13, 5, 6, 7
    layer = kind(units, activation, recurrent_dropout=0.4, **way)
    context = SimpleNamespace(seed=12, step=34, training=True)
    run = LayerRun(layer, (steps, features), dtype, context)
    theta, x = draw(dtype, run.n_theta, scale=0.3), draw(dtype, n, steps * features, seed=1)
    masks = (1, dropout_mask(0.4, (n, units), Context(12, 34, 2)))
    given = [p.astype("float64") for p in run.parameters(theta)]
    seen = x.reshape(n, steps, features).astype("float64")
    check(
        run, theta, x, draw(dtype, n, run.units, seed=2), naive(layer, given, seen, masks=masks),
        lambda dy: naive(layer, given, seen, dy, masks=masks),
    )  # fmt: skip


@pytest.mark.parametrize("both", [False, True])
@ways
@activations
@dtypes
@kinds
def test_padding_changes_no_bit(kind, dtype, activation, way, both):
    if both and way["go_backwards"]:
        return
    layer = kind(5, activation, **way)
    lengths = [3, 9, 1, 6, 9, 2, 5, 5, 7, 1, 4]
    case = Ragged(Bidirectional(layer) if both else layer, lengths, 3, dtype)
    case.theta *= 0.5
    for steps, fill in ((9, 7.0), (12, -100.0)):
        case.check_rows(steps, fill)


@pytest.mark.parametrize("activation", ["relu", "identity"])
@dtypes
@kinds
def test_a_state_does_not_grow_behind_the_end_of_a_row(kind, dtype, activation):
    """Where zeros are read it would be infinite after some steps; a long row's own state is 0."""
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
    """Where batches go on, to the last bit."""
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
    named = [(f"layer{i}", layer) for i, layer in enumerate(layers)]
    loss = SquaredError()
    program = lower(named, (6, 2), "float64", loss.link_layer(), ragged=True)
    rng = np.random.default_rng(0)
    lengths = np.array([6, 1, 3, 0, 4, 6, 2, 2, 5, 1, 3])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) * 2
    data = sequences(rng.standard_normal(2 * lengths.sum()), starts, lengths, 2, "float64")
    y = rng.standard_normal((len(lengths), 2))
    case = SimpleNamespace(loss=loss, gradient_factor=2)
    theta = draw_theta(program, rng, 0.3)
    for n_jobs in (1, 2):
        check_gradient(program, case, data, y, theta=theta, seed=5, step=7, n_jobs=n_jobs)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
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

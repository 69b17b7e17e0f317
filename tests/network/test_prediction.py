"""Prediction: right outputs and losses, the same bits however the rows are grouped."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.layer_cases.vectors import activation, batch_norm, dense, dropout, layer_norm, noise
from helpers.loss_cases import LOSSES, sample
from helpers.naive import training as naive_training
from helpers.naive import vectors as naive
from helpers.parametrize import DTYPES, names
from helpers.programs import Gradient, build, draw_theta, forward, no_state
from helpers.random_networks import BY_NAME, parameters_of
from sklearn_nn.jit.driver import Frame
from sklearn_nn.jit.team import Team
from sklearn_nn.layers import LSTM, Activation, Conv2D, Dense, GlobalAveragePool
from sklearn_nn.layers.activation import ACTIVATIONS
from sklearn_nn.network import machine
from sklearn_nn.network.machine import Predictor, predict
from sklearn_nn.network.source import source
from sklearn_nn.training.losses import SoftmaxLogLoss


@pytest.fixture(params=DTYPES)
def network(request):
    """A network with every layer in it, data, and its output for all rows at once."""
    dtype, rng = request.param, np.random.default_rng(5)
    stack = [noise(0.5), dense(11), batch_norm()]
    for name in ACTIVATIONS:
        stack += [activation(name), dense(int(rng.integers(5, 36)))]
    stack += [dropout(0.5), layer_norm(), dense(3)]
    program = build(stack, 7, dtype, SoftmaxLogLoss())
    X = rng.standard_normal((701, 7)).astype(dtype)
    theta = draw_theta(program, rng, 0.3)
    return stack, program, theta, X, forward(program, theta, X)


def test_prediction_equals_naive(network):
    """After the link, without dropout and noise, and with batch norms that have seen nothing."""
    stack, program, theta, X, out = network
    places = naive_training.contexts(stack, 0, 0, training=False)
    parameters = parameters_of(stack, program, theta)
    raw = naive_training.outputs(stack, parameters, X.astype("float64"), places)[-1]
    assert_close(out, naive.softmax_forward(None, raw), program.dtype, factor=4)
    assert out.dtype == program.dtype


def test_prediction_does_not_depend_on_the_batch(network, rng):
    """One row at a time, permuted, repeated, in other orders: the same bits."""
    _, program, theta, X, out = network
    for n in (1, 2, 3, 15, 16, 17, 255, 256, 257, 700):
        np.testing.assert_array_equal(forward(program, theta, X[:n]), out[:n])
    for i in range(0, 701, 23):
        np.testing.assert_array_equal(forward(program, theta, X[i : i + 1]), out[i : i + 1])
    for rows in (rng.permutation(701), rng.integers(0, 701, 1500), np.arange(700, -1, -1)):
        np.testing.assert_array_equal(forward(program, theta, X, rows=rows), out[rows])
        np.testing.assert_array_equal(forward(program, theta, X[rows]), out[rows])
    for n_jobs in (2, 3, 4):
        np.testing.assert_array_equal(forward(program, theta, X, n_jobs=n_jobs), out)


@pytest.mark.parametrize("block", [1, 7, 16, 100, 1000])
def test_prediction_does_not_depend_on_the_block(network, block, monkeypatch):
    _, program, theta, X, out = network
    monkeypatch.setattr(machine, "PREDICT_ROWS", block)
    for n_jobs in (1, 3):
        np.testing.assert_array_equal(forward(program, theta, X, n_jobs=n_jobs), out)


def test_long_rows_are_shared_out_among_threads(monkeypatch):
    """A thread's rows at a time are fewer where rows are long; so are those worth a thread."""
    program = build([dense(3)], 2**15, "float32")
    X = source(np.zeros((100, 2**15), "float32"), "float32")
    teams = []
    monkeypatch.setattr(machine, "Team", lambda n: teams.append(n) or Team(n))
    predict(program, np.zeros(program.n_theta, "float32"), no_state(program), X, n_jobs=3)
    assert teams == [3]


def test_images_are_predicted_a_few_at_a_time(rng, monkeypatch):
    """So many that what layers pass on fits in the cache, and that it outweighs the weights."""
    capacities = []

    def noted(*args, **kwargs):
        capacities.append(kwargs.get("capacity", 0))
        return Frame(*args, **kwargs)

    monkeypatch.setattr(machine, "Frame", noted)
    layers = [Conv2D(5, 3, padding="same"), Activation("relu"), GlobalAveragePool(), Dense(3)]
    X = source(rng.standard_normal((21, 7 * 7 * 3), "float32"), "float32")
    program = build(layers, (7, 7, 3), "float32")
    theta, state = draw_theta(program, rng), no_state(program)
    whole = predict(program, theta, state, X)
    for size, rows in ((16 * program.width, 16), (5 * program.compact.width, 5), (1, 1)):
        capacities.clear()
        monkeypatch.setattr(machine, "PREDICT_SIZE", size)
        for n_jobs in (1, 2):
            np.testing.assert_array_equal(predict(program, theta, state, X, n_jobs=n_jobs), whole)
        assert capacities == [rows, rows]
    large = build([Dense(400), Dense(3)], 7 * 7 * 3, "float32")
    recurrent = build([LSTM(2), Dense(3)], (7, 21), "float32")
    for other, rows in ((large, min(16, large.n_theta // large.compact.width)), (recurrent, 16)):
        capacities.clear()
        predict(other, draw_theta(other, rng), no_state(other), X)
        assert capacities == [rows]


def test_prediction_changes_nothing(network):
    _, program, theta, X, _ = network
    before = theta.copy(), X.copy(), program.table.copy()
    for array in (theta, X):
        array.flags.writeable = False
    forward(program, theta, X, n_jobs=2)
    for now, then in zip((theta, X, program.table), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_no_rows():
    program = build([dense(3)], 2, "float32")
    out = forward(program, draw_theta(program, np.random.default_rng(0)), np.zeros((0, 2)))
    assert out.shape == (0, 3)


def test_a_network_without_layers_is_its_link():
    program = build([], 3, "float64", SoftmaxLogLoss())
    X = np.random.default_rng(0).standard_normal((5, 3))
    out = forward(program, np.zeros(0), X)
    np.testing.assert_allclose(out, naive.softmax_forward(None, X), rtol=1e-14)


# --- losses ----------------------------------------------------------------------------------


@pytest.fixture(params=DTYPES)
def problem(request):
    """Make a network for a loss, with data, targets and weights (or none), of 601 rows."""

    def make(case, weighted=True):
        dtype, rng = request.param, np.random.default_rng(2)
        program = build([dense(9), activation("tanh"), dense(case.n_outputs)], 4, dtype, case.loss)
        X, y, weight = sample(rng, case, 601, 4, dtype)
        weight = weight if weighted else None
        return program, draw_theta(program, rng), X, y, weight

    return make


def losses_of(program, theta, X, targets, rows=None, n_jobs=1):
    """The losses and the output of a Predictor."""
    made = Predictor(program, source(X, program.dtype), rows, targets, n_jobs)
    out = made.run(theta, no_state(program))
    return made.losses, out


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))
def test_losses_equal_naive(case, weighted, problem):
    """Each row's loss times its weight, over several blocks of rows."""
    program, theta, X, y, weight = problem(case, weighted)
    assert len(X) > 2 * machine.PREDICT_ROWS
    losses, out = losses_of(program, theta, X, case.loss.targets(y, weight, program.dtype))
    parameters = [p.view(theta).astype("float64") for p in program.parameters]
    w1, b1, w2, b2 = parameters
    z = np.tanh(X.astype("float64") @ w1 + b1) @ w2 + b2
    y = y.astype(program.dtype).astype("float64")
    expected, _ = case.naive(z, y, np.finfo(program.dtype).eps)
    assert_close(losses, expected * (1 if weight is None else weight), program.dtype, factor=20)
    assert losses.dtype == "float64"
    np.testing.assert_array_equal(out, forward(program, theta, X))


def test_losses_do_not_depend_on_rows_or_n_jobs(problem, rng):
    case = BY_NAME["multiclass"]
    program, theta, X, y, weight = problem(case)
    targets = case.loss.targets(y, weight, program.dtype)
    whole, _ = losses_of(program, theta, X, targets)
    for rows in (np.arange(600, -1, -3), rng.integers(0, 601, 1000), np.arange(7), np.arange(0)):
        for n_jobs in (1, 2, 3, 4):
            losses, out = losses_of(program, theta, X, targets, rows, n_jobs)
            np.testing.assert_array_equal(losses, whole[rows])
            np.testing.assert_array_equal(out, forward(program, theta, X, rows=rows))


def test_a_predictor_is_used_again(problem):
    """With other parameters, as during training; nothing of the last run is left."""
    case = BY_NAME["multiclass"]
    program, theta, X, y, weight = problem(case)
    targets = case.loss.targets(y, weight, program.dtype)
    made = Predictor(program, source(X, program.dtype), None, targets)
    for parameters in (theta, 2 * theta, theta):
        out = made.run(parameters, no_state(program))
        losses, expected = losses_of(program, parameters, X, targets)
        np.testing.assert_array_equal(made.losses, losses)
        np.testing.assert_array_equal(out, expected)


def test_losses_of_the_rows_add_up_to_the_batch_loss(problem):
    """The loss that early stopping watches is the one that training minimises."""
    case = BY_NAME["multilabel"]
    program, theta, X, y, weight = problem(case)
    targets = case.loss.targets(y, weight, program.dtype)
    losses, _ = losses_of(program, theta, X, targets)
    batch = Gradient(program, X, targets).loss(theta)
    assert losses.sum() / weight.sum(dtype="float64") == pytest.approx(batch, rel=1e-12)


def test_without_targets_there_are_no_losses(problem):
    program, theta, X, _, _ = problem(BY_NAME["binary"])
    made = Predictor(program, source(X, program.dtype))
    made.run(theta, no_state(program))
    assert made.losses.shape == (0,)


def test_prediction_uses_what_a_batch_norm_remembers(rng):
    program = build([batch_norm(), dense(2)], 3, "float64")
    theta, X = draw_theta(program, rng), rng.standard_normal((300, 3))
    state = program.initial_state()
    mean, variance = (m.view(state) for m in program.memories["layer0"].values())
    mean[:], variance[:] = rng.standard_normal(3), rng.uniform(0.5, 2, 3)
    gamma, beta, w, b = (p.view(theta) for p in program.parameters)
    expected = (gamma * (X - mean) / np.sqrt(variance + 1e-5) + beta) @ w + b
    before = state.copy()
    for n_jobs in (1, 2):
        out = predict(program, theta, state, source(X, "float64"), n_jobs=n_jobs)
        assert_close(out, expected, "float64")
    np.testing.assert_array_equal(state, before)

"""Networks of layers that take sequences of unequal length, through the machine."""

import numpy as np
import pytest

from helpers.gradient_check import LIMIT, numerical_gradient
from helpers.programs import draw_theta, nothing
from sklearn_nn.layers import (
    Activation,
    AttentionPool,
    AveragePool1D,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    GlobalMaxPool,
    LastStep,
    LayerNorm,
    MaxPool1D,
    OneHot,
    Parallel,
    Residual,
    TimeDistributed,
)
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.network.machine import Machine, Predictor
from sklearn_nn.network.source import sequences
from sklearn_nn.training.losses import SquaredError

LOSS = SquaredError()
RELU = Activation("relu")
#: Networks, and how many whole numbers they read; 0 are any numbers, of three channels.
NETWORKS = {
    "cnn": ([Conv1D(6, 3, padding="same"), RELU, MaxPool1D(), Conv1D(5, 2), GlobalMaxPool()], 0),
    "attention": ([TimeDistributed(Dense(5)), LayerNorm(), AttentionPool(4)], 0),
    "residual": (
        [
            Conv1D(4, 1),
            Residual([Conv1D(4, 3, padding="same"), RELU, Conv1D(4, 3, padding="same")]),
            RELU,
            GlobalAveragePool(),
        ],
        0,
    ),
    "words": ([Embedding(7, 4), Dropout(0.3), Conv1D(5, 3, padding="same"), RELU, LastStep()], 7),
    "one_hot": (
        [
            OneHot(7),
            Parallel([Conv1D(2, 3, strides=2), AveragePool1D(3, strides=2)]),
            RELU,
            AttentionPool(),
        ],
        7,
    ),
}
networks = pytest.mark.parametrize("name", NETWORKS)


def data_of(numbers, lengths, dtype, seed=0):
    """Sequences that begin alike, whatever their lengths."""
    rng, channels = np.random.default_rng(seed), 1 if numbers else 3
    whole = rng.standard_normal((len(lengths), 20 * channels))
    if numbers:
        whole = rng.integers(0, numbers, whole.shape)
    starts = np.arange(len(lengths)) * 20 * channels
    return sequences(whole.ravel().astype(dtype), starts, lengths, channels, dtype), channels


def program_of(name, width, channels, dtype):
    layers, _ = NETWORKS[name]
    named = [(f"layer{i}", layer) for i, layer in enumerate([*layers, Dense(2)])]
    link = LOSS.link_layer()
    return lower(named, (width // channels, channels), dtype, link, ragged=True)


def gradient_of(program, theta, data, n_jobs=1):
    """Loss and gradient of one batch of all rows."""
    n = data.n_rows
    y = np.random.default_rng(1).standard_normal((n, 2))
    targets = LOSS.targets(y, None, program.dtype)
    own = program.new_buffers()
    own[0][:] = theta
    machine = Machine(program, *own, n, seed=3, n_jobs=n_jobs)
    update = nothing(program)
    (loss,) = machine.train(data, targets, np.arange(n), n, 0, 1, update, 2)
    return loss, machine.grad.copy()


LENGTHS = np.array([9, 0, 3, 1, 12, 5, 7, 2, 12, 4, 6, 8, 3, 10, 11, 0, 1, 9, 5])


@networks
def test_gradient(name):
    data, channels = data_of(NETWORKS[name][1], LENGTHS, "float64")
    program = program_of(name, data.width, channels, "float64")
    theta = draw_theta(program, np.random.default_rng(0))
    exact = gradient_of(program, theta, data)[1]
    places = [p.start + k for p in program.parameters for k in range(p.parameter.size)]
    # The loss's value is a mean over outputs, and its gradient that of their sum.
    approximate = 2 * numerical_gradient(
        lambda moved: gradient_of(program, moved, data)[0], theta, places
    )
    size = np.abs(exact).max()
    assert size > 1e-3
    assert np.abs(exact - approximate).max() <= LIMIT * size


@networks
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_number_of_threads_is_the_same(name, dtype, monkeypatch):
    """And so is a program in which nothing works in place."""
    data, channels = data_of(NETWORKS[name][1], LENGTHS, dtype)
    program = program_of(name, data.width, channels, dtype)
    theta = draw_theta(program, np.random.default_rng(0))
    loss, expected = gradient_of(program, theta, data)
    monkeypatch.setattr(ProgramBuilder, "_merge", lambda *_: [])
    apart = program_of(name, data.width, channels, dtype)
    for other, n_jobs in ((program, 2), (program, 3), (apart, 1)):
        again, gradient = gradient_of(other, theta, data, n_jobs)
        assert again == loss
        np.testing.assert_array_equal(gradient, expected)


@networks
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_do_not_depend_on_other_rows(name, dtype):
    """In room for the longest sequence, and in room for each one's own steps."""
    data, channels = data_of(NETWORKS[name][1], LENGTHS, dtype)
    program = program_of(name, data.width, channels, dtype)
    theta = draw_theta(program, np.random.default_rng(0))
    whole = Predictor(program, data, n_jobs=2).run(theta, program.initial_state())
    for steps in (4, 5, 9, 12):
        rows = np.flatnonzero(steps >= LENGTHS)
        some = np.where(steps >= LENGTHS, LENGTHS, 0)
        shorter, _ = data_of(NETWORKS[name][1], some, dtype)
        own = program_of(name, shorter.width, channels, dtype)
        assert shorter.width == steps * channels
        got = Predictor(own, shorter, rows).run(theta, own.initial_state())
        np.testing.assert_array_equal(got, whole[rows])


@networks
def test_a_short_batch_after_a_long_one(name):
    """Values that the long batch left in memory are not read."""
    data, channels = data_of(NETWORKS[name][1], LENGTHS, "float64")
    program = program_of(name, data.width, channels, "float64")
    theta = draw_theta(program, np.random.default_rng(0))
    order = np.argsort(-LENGTHS, kind="stable")
    y = np.random.default_rng(1).standard_normal((len(LENGTHS), 2))
    targets, gradients = LOSS.targets(y, None, "float64"), []
    for first in (0, 2):
        own = program.new_buffers()
        own[0][:] = theta
        machine = Machine(program, *own, 7, seed=3, n_jobs=1)
        update = nothing(program)
        for batch in range(first, 3):
            machine.train(data, targets, order, 7, batch, batch + 1, update, 5)
        gradients.append(machine.grad.copy())
    np.testing.assert_array_equal(*gradients)

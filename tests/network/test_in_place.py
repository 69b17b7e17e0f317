"""Activations that work in place, and batch norms that do their work: the same, in less memory."""

import itertools

import numpy as np
import pytest
from cases import LOSSES, sample
from harness import Gradient, build, draw_theta, forward
from problems import BY_NAME, random_stack

from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    Residual,
)
from sklearn_nn.layers.activation import ELEMENTWISE
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.network.machine import predict
from sklearn_nn.network.program import X_AT, Y_AT
from sklearn_nn.network.source import source

RELU = Activation("relu")


@pytest.fixture
def apart(monkeypatch):
    """A function that makes programs in which every slot has memory of its own."""

    def make(*arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(ProgramBuilder, "_merge", lambda *_: [])
            return build(*arguments, **options)

    return make


def merged(program):
    """Instructions whose input and output are the same memory."""
    return np.flatnonzero(program.table[:, X_AT] == program.table[:, Y_AT]).tolist()


def gradient_of(program, theta, X, targets, n_jobs):
    batch = Gradient(program, X, targets, seed=3, step=2, n_jobs=n_jobs)
    return batch.loss(theta), batch.gradient(theta), batch.machine.state


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_are_the_same_to_the_bit(seed, apart):
    """But where a batch norm does the work of a relu: then to a few roundings."""
    rng = np.random.default_rng(seed)
    case = LOSSES[seed % len(LOSSES)]
    stack = random_stack(rng, case.n_outputs)
    program, other = build(stack, 4, "float64", case.loss), apart(stack, 4, "float64", case.loss)
    X, y, _ = sample(rng, case, 19, 4)
    theta, targets = draw_theta(program, rng, 0.4), case.loss.targets(y, None, "float64")
    same = np.testing.assert_array_equal
    if program.absorbed:
        same = lambda a, b: np.testing.assert_allclose(a, b, 1e-9, 1e-11)  # noqa: E731
    same(forward(program, theta, X), forward(other, theta, X))
    expected = gradient_of(other, theta, X, targets, 1)
    for n_jobs in (1, 2, 3):
        for got, wanted in zip(
            gradient_of(program, theta, X, targets, n_jobs), expected, strict=True
        ):
            same(got, wanted)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_activation(name, apart):
    stack, rng = [Dense(5), Activation(name), Dense(3)], np.random.default_rng(0)
    case = BY_NAME["multiclass"]
    program, other = build(stack, 4, "float32", case.loss), apart(stack, 4, "float32", case.loss)
    assert merged(program) == ([1] if ELEMENTWISE[name].of_y and name != "identity" else [])
    X, y, _ = sample(rng, case, 9, 4, "float32")
    theta, targets = draw_theta(program, rng), case.loss.targets(y, None, "float32")
    for got, wanted in zip(
        gradient_of(program, theta, X, targets, 1), gradient_of(other, theta, X, targets, 1),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "stack",
    [
        [RELU, Dense(2)],  # it would write over the data
        [Dense(3), RELU, RELU, Dense(2)],  # the first keeps its output; the second may not
        [Dense(3), Activation("softmax"), RELU, Dense(2)],
        [Dense(3), Activation("gelu"), Dense(2)],  # its derivative needs x
        [Dense(3), Residual([("act", RELU)]), Dense(2)],  # two read its input
    ],
)
def test_where_the_input_is_missed_it_stays(stack):
    program = build(stack, 4, "float64", LOSSES[0].loss)
    assert len(merged(program)) == sum(
        a == Dense(3) and b == RELU for a, b in itertools.pairwise(stack)
    )


IMAGES = [
    ("conv", Conv2D(17, 3, padding="same")), ("norm", BatchNorm()), ("relu", RELU),
    ("pool", MaxPool2D()), ("drop", Dropout(0.5)), ("flat", Flatten()), ("out", Dense(2)),
]  # fmt: skip


def test_a_batch_norm_does_the_work_of_a_relu():
    """And does not, where the network is cut before it."""
    program = lower(IMAGES, (6, 6, 16), "float64")
    assert program.absorbed == [(1, 4, 2)]
    rng = np.random.default_rng(0)
    X = source(rng.standard_normal((7, 576)), "float64")
    theta, state = draw_theta(program, rng), program.initial_state()
    before, after = (predict(program.cut(name), theta, state, X) for name in ("norm", "relu"))
    assert (before < 0).any()
    np.testing.assert_array_equal(after, np.maximum(before, 0))
    np.testing.assert_array_equal(predict(program.cut("conv"), theta, state, X).shape, (7, 612))


def test_fewer_columns_are_wanted():
    """A row of memory for what is read later, and none for what is written over."""
    program = lower(IMAGES, (6, 6, 16), "float64")
    assert program.width == 576 + 612 + 612 + 153 + 153 + 2

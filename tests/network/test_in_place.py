"""Activations that work in place, and batch norms that do their work: the same, in less memory."""

import itertools

import numpy as np
import pytest

from helpers.comparison import assert_same_bits
from helpers.layer_cases import custom_layers
from helpers.loss_cases import LOSSES, sample
from helpers.programs import Gradient, build, draw_theta, forward, no_state, train
from helpers.random_networks import BY_NAME, random_stack
from sklearn_nn.layers import (
    Activation,
    Add,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    MaxPool2D,
    Mixup,
    Parallel,
    Residual,
)
from sklearn_nn.layers.activation import ELEMENTWISE
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.network.machine import input_gradient, predict
from sklearn_nn.network.program import X_AT, Y_AT
from sklearn_nn.network.source import source
from sklearn_nn.training.optimizers import SGD

RELU = Activation("relu")


@pytest.fixture
def apart(monkeypatch):
    """A function that makes programs in which every slot has memory of its own."""

    def make(*arguments, make=build, **options):
        with monkeypatch.context() as patch:
            patch.setattr(ProgramBuilder, "_merge", lambda *_: [])
            return make(*arguments, **options)

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
def test_input_that_is_read_again_is_not_overwritten(stack):
    program = build(stack, 4, "float64", LOSSES[0].loss)
    assert len(merged(program)) == sum(
        a == Dense(3) and b == RELU for a, b in itertools.pairwise(stack)
    )


IMAGES = [
    ("conv", Conv2D(17, 3, padding="same")), ("norm", BatchNorm()), ("relu", RELU),
    ("pool", MaxPool2D()), ("drop", Dropout(0.5)), ("flat", Flatten()), ("out", Dense(2)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "place"), [("relu", 4), ("relu6", 5)])
def test_a_batch_norm_does_the_work_of_an_activation(kind, place):
    """And does not, where the network is cut before it."""
    stack = [(name, Activation(kind) if name == "relu" else layer) for name, layer in IMAGES]
    program = lower(stack, (6, 6, 16), "float64")
    assert program.absorbed == [(1, place, 2)]
    rng = np.random.default_rng(0)
    X = source(rng.standard_normal((7, 576)), "float64")
    theta, state = draw_theta(program, rng), program.initial_state()
    program.layers["norm"]["gamma"].view(theta)[:] = 5
    before, after = (predict(program.cut(name), theta, state, X) for name in ("norm", "relu"))
    assert (before < 0).any()
    assert (before > 6).any()
    np.testing.assert_array_equal(after, np.clip(before, 0, 6 if kind == "relu6" else None))
    np.testing.assert_array_equal(predict(program.cut("conv"), theta, state, X).shape, (7, 612))


def test_fewer_columns_are_wanted():
    """A row of memory for what is read later, and none for what is written over."""
    program = lower(IMAGES, (6, 6, 16), "float64")
    assert program.width == 576 + 612 + 612 + 153 + 153 + 2


# --- images --------------------------------------------------------------------------------------

SHAPE = (6, 6, 3)
KINDS = [name for name in ELEMENTWISE if name != "exp"]  # stacked, it overflows


def random_chain(rng, channels, depth):
    """Random layers that keep the shape of an image."""
    chain = []
    for _ in range(rng.integers(1, depth + 2)):
        act = Activation(str(rng.choice(KINDS)))
        chain += [
            [Conv2D(channels, 3, padding="same"), act],
            [BatchNorm(epsilon=0.1), act],
            [BatchNorm(epsilon=0.1), RELU, RELU],
            [AveragePool2D(2, strides=1, padding="same"), act, Dropout(0.3)],
            [MaxPool2D(3, strides=1, padding="same"), act],
            [LayerNorm(epsilon=0.1), act, act],
            [act],
        ][rng.integers(7)]
        if depth and rng.random() < 0.5:
            inner = [random_chain(rng, channels, depth - 1) for _ in range(2)]
            chain.append([Residual(inner[0]), Add([*inner, []]), Add([inner[0]])][rng.integers(3)])
    return chain


def random_images(rng, n_outputs):
    """A random network of images; Mixup stands somewhere in every second one."""
    chain = [*random_chain(rng, 3, 1), Conv2D(16, 3, padding="same"), RELU]
    chain.append(Parallel([random_chain(rng, 16, 0), [RELU], [Conv2D(3, 1)]]))
    chain += [
        MaxPool2D(),
        *random_chain(rng, 35, 0),
        [Flatten(), GlobalAveragePool()][rng.integers(2)],
    ]
    if rng.random() < 0.5:
        chain.insert(rng.integers(len(chain)), Mixup(1.0))
    return [*chain, Dense(4), Activation(str(rng.choice(KINDS))), Dense(n_outputs)]


def close(program):
    """Return the assertion that compares a program with one whose slots are all apart."""
    if not program.absorbed:
        return np.testing.assert_array_equal
    return lambda a, b: np.testing.assert_allclose(a, b, 1e-8, 1e-10)


def random_pair(seed, apart, **options):
    """A random network of images, as it is and with its slots apart, and data for it."""
    rng = np.random.default_rng(seed)
    case = BY_NAME[("multiclass", "squared_error_3", "multilabel", "poisson_2")[seed % 4]]
    stack = random_images(rng, case.n_outputs)
    one = build(stack, SHAPE, "float64", case.loss)
    other = apart(stack, SHAPE, "float64", case.loss, make=build)
    assert merged(one)
    assert not merged(other)
    assert one.width < other.width
    X, y, _ = sample(rng, case, 21, 108)
    return one, other, X, case.loss.targets(y, None, "float64"), draw_theta(one, rng, 0.2), stack


@pytest.mark.parametrize("seed", range(16))
def test_random_images_are_the_same(seed, apart):
    """Outputs, losses, gradients, and what training leaves behind; to the bit for any n_jobs."""
    program, other, X, targets, theta, _ = random_pair(seed, apart)
    same = close(program)
    same(forward(program, theta, X), forward(other, theta, X))
    options = {"order": np.random.default_rng(1).permutation(21), "batch_size": 8, "seed": 5}
    runs = []
    for p, n_jobs in ((other, 1), (program, 1), (program, 2), (program, 3)):
        batch = gradient_of(p, theta, X, targets, n_jobs)
        left = train(
            p, theta, X, targets, SGD(momentum=0.9, nesterov=True), n_jobs=n_jobs, **options
        )
        runs.append([*batch, left.theta, left.losses, left.moments, left.state])
    assert_same_bits(runs[2], runs[1])
    assert_same_bits(runs[3], runs[1])
    for got, wanted in zip(runs[1], runs[0], strict=True):
        assert np.isfinite(wanted).all()
        same(got, wanted)


@pytest.mark.parametrize("seed", range(8))
def test_cuts_and_input_gradients_are_the_same(seed, apart):
    """Before every activation and after it."""
    program, other, X, _, theta, stack = random_pair(seed, apart)
    same, data = close(program), source(X, "float64")
    for name in program.cuts:
        one, two = (predict(p.cut(name), theta, no_state(p), data) for p in (program, other))
        same(one, two)
    named = [(f"layer{i}", layer) for i, layer in enumerate(stack)]
    seeds = np.random.default_rng(2).standard_normal((21, program.raw_slot[1]))
    grads = [
        input_gradient(p, theta, no_state(p), data, seeds)
        for p in (
            lower(named, SHAPE, "float64", input_gradient=True),
            apart(named, SHAPE, "float64", make=lower, input_gradient=True),
        )
    ]
    same(*grads)


def test_the_gradient_of_the_input_before_and_after_an_activation():
    """By hand: of W x, and of tanh(W x)."""
    rng = np.random.default_rng(0)
    X, seeds = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    named = [("dense", Dense(3)), ("act", Activation("tanh"))]
    for layers in (named[:1], named):
        program = lower(layers, (4,), "float64", input_gradient=True)
        theta = draw_theta(program, rng)
        kernel, bias = (placed.view(theta) for placed in program.parameters)
        got = input_gradient(program, theta, no_state(program), source(X, "float64"), seeds)
        slope = 1 - np.tanh(X @ kernel + bias) ** 2 if len(layers) == 2 else 1
        np.testing.assert_allclose(got, (seeds * slope) @ kernel.T, rtol=1e-12)


# --- where it must not happen --------------------------------------------------------------------


@pytest.mark.parametrize(
    "stack",
    [
        [Flatten(), RELU, Dense(2)],  # the data, by another name
        [MaxPool2D(3, strides=1), RELU, Flatten(), Dense(2)],  # the pool looks for its largest
        [Conv2D(4, 3), Parallel([[RELU], []]), Flatten(), Dense(2)],
        [Conv2D(4, 3), Add([[RELU], [Activation("tanh")]]), Flatten(), Dense(2)],
        [Conv2D(4, 3), Residual([Conv2D(4, 1)], shortcut=[RELU]), Flatten(), Dense(2)],
        [LayerNorm(), Flatten(), Dense(2)],
    ],
)
def test_images_where_the_input_is_missed(stack, apart):
    program = build(stack, SHAPE, "float64")
    assert not merged(program)
    assert not program.absorbed
    assert program.width == apart(stack, SHAPE, "float64", make=build).width


def test_the_link_does_not_write_over_the_raw_output():
    """Which is read after it; the last layer's activation may work in place."""
    for loss in (BY_NAME["multilabel"].loss, BY_NAME["poisson"].loss):
        program = build([Dense(3)], 4, "float64", loss)
        assert not merged(program)
        assert program.raw_slot != program.output_slot
        program = build([Dense(3), RELU], 4, "float64", loss)
        assert merged(program) == [1]
        assert program.raw_slot != program.output_slot


@pytest.mark.parametrize("act", ["tanh", "relu"])
def test_behind_two_writers_that_keep_their_output(act):
    stack = [Dense(3), custom_layers.Residual(), Activation(act), Dense(2)]
    program = build(stack, 4, "float64")
    assert not merged(program)


def test_a_batch_norm_leaves_a_relu_that_is_not_its_own():
    """It has two readers; or there is something between them; or it is another activation."""
    for between in (
        [Residual([RELU])],
        [Dropout(0.5), RELU],
        [Dense(3), RELU],
        [Activation("elu")],
    ):
        program = build([Dense(3), BatchNorm(), *between, Dense(2)], 4, "float64")
        assert not program.absorbed
    program = build([Dense(3), BatchNorm(), RELU, RELU, Dense(2)], 4, "float64")
    assert len(program.absorbed) == 1
    assert merged(program) == [2]

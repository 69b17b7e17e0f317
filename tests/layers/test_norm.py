"""Normalisation: against PyTorch and NumPy, over several batches, in training and prediction."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.gradient_check import LIMIT, numerical_gradient
from helpers.layer_cases.vectors import batch_norm, layer_norm
from helpers.layer_runs import LayerRun
from helpers.loss_cases import LOSSES, sample
from helpers.naive import vectors as naive
from helpers.naive.random_numbers import Context
from helpers.parametrize import dtypes
from helpers.programs import Gradient, build, draw_theta
from sklearn_nn.layers import Activation, BatchNorm, Conv2D, Dense, Flatten, LayerNorm, MaxPool2D
from sklearn_nn.layers.base import TRAINING
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import predict

TRAIN, PREDICT = Context(training=True), Context(training=False)


def started(layer, shape, dtype="float64", context=TRAIN, seed=0):
    """A run of the layer with random gamma and beta."""
    run = LayerRun(layer, shape, dtype, context)
    return run, np.random.default_rng(seed).standard_normal(run.n_theta).astype(dtype)


def batch(rng, n, width, dtype="float64"):
    """Columns of very different means and spreads."""
    spread = 10.0 ** rng.uniform(-1, 1, width)
    return (rng.normal(0, 5, width) + spread * rng.standard_normal((n, width))).astype(dtype)


def memories(run):
    """The running means and variances."""
    return np.split(run.state, 2)


# --- PyTorch ---------------------------------------------------------------------------------


def theirs(torch, layer, theta):
    """PyTorch's layer with our gamma and beta."""
    layer = layer.double()
    gamma, beta = np.split(theta, 2)
    with torch.no_grad():
        layer.weight[:], layer.bias[:] = torch.tensor(gamma), torch.tensor(beta)
    return layer


def assert_equals_torch(torch, run, theta, layer, x, dy):
    """Forward, dx, dgamma and dbeta of one batch, to 1e-10."""
    there = torch.tensor(x, requires_grad=True)
    layer.zero_grad()
    value = layer(there)
    value.backward(torch.tensor(dy))
    start = run.state.copy()
    assert_close(run.forward(theta, x), value.detach().numpy(), "float64")
    run.state[:] = start
    dx, grad = run.backward(theta, x, dy)
    for got, wanted in zip([dx, *run.parameters(grad)], [there, *layer.parameters()], strict=True):
        assert_close(got, wanted.grad.numpy(), "float64")


@pytest.mark.parametrize("momentum", [0.9, 0.0, 0.3, 1.0])
def test_batch_norm_equals_torch(momentum, torch, rng):
    """Six batches of different sizes, then prediction by what was remembered of them."""
    run, theta = started(BatchNorm(momentum, epsilon=1e-3), 19)
    layer = torch.nn.BatchNorm1d(19, eps=1e-3, momentum=1 - momentum)
    layer = theirs(torch, layer, theta)
    for n in (16, 5, 33, 2, 100, 7):
        assert_equals_torch(torch, run, theta, layer, batch(rng, n, 19), rng.normal(size=(n, 19)))
        mean, variance = memories(run)
        assert_close(mean, layer.running_mean.numpy(), "float64")
        assert_close(variance, layer.running_var.numpy(), "float64")
    layer.eval()
    run.ctx[TRAINING] = 0
    state, x = run.state.copy(), batch(rng, 50, 19)
    assert_close(run.forward(theta, x), layer(torch.tensor(x)).detach().numpy(), "float64")
    np.testing.assert_array_equal(run.state, state)


@pytest.mark.parametrize("width", [2, 19, 64])
def test_layer_norm_equals_torch(width, torch, rng):
    run, theta = started(LayerNorm(epsilon=1e-3), width)
    layer = theirs(torch, torch.nn.LayerNorm(width, eps=1e-3), theta)
    for n in (16, 1, 33):
        x, dy = batch(rng, n, width), rng.normal(size=(n, width))
        assert_equals_torch(torch, run, theta, layer, x, dy)
    run.ctx[TRAINING] = 0
    assert_close(run.forward(theta, x), layer(torch.tensor(x)).detach().numpy(), "float64")


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()], ids=repr)
def test_defaults_are_those_of_torch(layer, torch):
    other = torch.nn.BatchNorm1d(3) if isinstance(layer, BatchNorm) else torch.nn.LayerNorm(3)
    assert layer.epsilon == other.eps
    if isinstance(layer, BatchNorm):
        assert layer.momentum == 1 - other.momentum


def test_images_equal_torch(torch, rng):
    """There channels are the second axis, here the last."""
    shape, n = (4, 5, 3), 7
    run, theta = started(BatchNorm(), shape)
    layer = theirs(torch, torch.nn.BatchNorm2d(3), theta)
    x = batch(rng, n, 60).reshape(n, *shape)
    there = torch.tensor(x.transpose(0, 3, 1, 2))
    expected = layer(there).detach().numpy().transpose(0, 2, 3, 1)
    assert_close(run.forward(theta, x.reshape(n, -1)), expected.reshape(n, -1), "float64")
    assert_close(memories(run)[1], layer.running_var.numpy(), "float64")


# --- places are samples ------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("shape", [(4, 5, 3), (2, 40), (7, 1), (3, 17)])
@pytest.mark.parametrize("case", [batch_norm(), layer_norm()], ids=["batch_norm", "layer_norm"])
def test_places_count_as_samples(case, shape, dtype, rng):
    """As the twin on a matrix with one row for each place, and the same bits in any parts."""
    channels, n = shape[-1], 11
    run, theta = started(case.layer, shape, dtype)
    x, dy = (rng.standard_normal((n, run.units)).astype("float32").astype(dtype) for _ in range(2))
    start = run.state.copy()
    y = run.forward(theta, x)
    state = run.state.copy()
    dx, grad = run.backward(theta, x, dy)

    parameters = run.parameters(theta.astype("float64"))
    places, slopes = (a.astype("float64").reshape(-1, channels) for a in (x, dy))
    expected = case.forward(parameters, places, TRAIN)
    dplaces, gradients = case.backward(parameters, places, slopes, TRAIN)
    assert_close(y.reshape(-1, channels), expected, dtype, factor=10)
    assert_close(dx.reshape(-1, channels), dplaces, dtype, factor=10)
    for got, wanted in zip(run.parameters(grad), gradients, strict=True):
        assert_close(got, wanted, dtype, factor=10)
    if case.over_batch:
        mean, variance = np.split(state, 2)
        assert_close(mean, 0.1 * places.mean(axis=0), dtype)
        assert_close(variance, 0.9 + 0.1 * places.var(axis=0, ddof=1), dtype)

    for parts in (2, 3, 4):
        run.state[:] = start
        np.testing.assert_array_equal(run.forward(theta, x, parts), y)
        np.testing.assert_array_equal(run.state, state)
        other, other_grad = run.backward(theta, x, dy, parts)
        np.testing.assert_array_equal(other, dx)
        np.testing.assert_array_equal(other_grad, grad)


def test_parameters_and_memories_are_of_the_channels():
    for layer, n_state in [(BatchNorm(), 6), (LayerNorm(), 0)]:
        run = LayerRun(layer, (4, 5, 3), "float64")
        assert layer.output_shape((4, 5, 3)) == (4, 5, 3)
        assert (run.n_theta, run.state.size) == (6, n_state)
    program = build([BatchNorm()], 3, "float64")
    assert list(program.layers["layer0"]) == ["gamma", "beta"]
    theta = program.initialize(np.random.RandomState(0))
    gamma, beta = (p.view(theta) for p in program.parameters)
    assert (gamma == 1).all()
    assert (beta == 0).all()
    assert list(program.memories["layer0"]) == ["moving_mean", "moving_variance"]
    mean, variance = (m.view(program.initial_state()) for m in program.memories["layer0"].values())
    assert (mean == 0).all()
    assert (variance == 1).all()


def test_gamma_and_beta_are_neither_penalised_nor_decayed():
    program = build([BatchNorm(), LayerNorm()], 3, "float64")
    assert [p.parameter.decay for p in program.parameters] == [0, 0, 0, 0]
    assert program.matrices().shape == (0, 3)


# --- in a network --------------------------------------------------------------------------------

NETWORK = [
    ("first", BatchNorm(epsilon=0.1)), ("conv", Conv2D(4, 3, padding="same")),
    ("second", BatchNorm(epsilon=0.1)), ("relu", Activation("relu")), ("pool", MaxPool2D()),
    ("flat", Flatten()), ("dense", Dense(5)), ("third", BatchNorm(epsilon=0.1)),
    ("tanh", Activation("tanh")), ("out", Dense(3)),
]  # fmt: skip


def network_gradient(frozen, dtype="float64", n=11, kind="relu", **options):
    """Return the gradient of a network of images with random memories, a function of theta.

    Values before a relu6 are large, so that some exceed 6.
    """
    (case,) = (row for row in LOSSES if row.name == "multiclass")
    rng = np.random.default_rng(0)
    layers = [(name, Activation(kind) if name == "relu" else layer) for name, layer in NETWORK]
    program = lower(
        layers, (4, 5, 3), dtype, case.loss.link_layer(), rates=dict.fromkeys(frozen, 0)
    )
    X, y, _ = sample(rng, case, n, 60, dtype)
    batch = Gradient(program, X, case.loss.targets(y, None, dtype), **options)
    theta = draw_theta(program, rng)
    if kind == "relu6":
        program.layers["second"]["gamma"].view(theta)[:] *= 8
    for placed in (m for layer in program.memories.values() for m in layer.values()):
        placed.view(batch.machine.state)[...] = rng.uniform(0.3, 3, placed.parameter.shape)
    return program, batch, theta, y[:, 0].astype(int)


@pytest.mark.parametrize(
    "frozen",
    [
        (),  # of the first, nothing before it wants a gradient
        ("first",),
        ("first", "conv"),  # the second is trained, what comes before it is not
        ("second",),  # with the relu that it does, between layers that are trained
        ("second", "third"),
        ("conv", "second", "dense"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("kind", ["relu", "relu6"])
def test_gradient_in_a_network(frozen, kind):
    """Against central differences; nothing that is frozen has one."""
    program, batch, theta, _ = network_gradient(frozen, kind=kind)
    assert program.absorbed
    exact = batch.gradient(theta)
    trained = [
        p for name, own in program.layers.items() if name not in frozen for p in own.values()
    ]
    places = np.concatenate([np.arange(p.start, p.start + p.parameter.size) for p in trained])
    approximate = numerical_gradient(batch.loss, theta, places)
    for name, own in program.layers.items():
        for key, placed in own.items():
            got, wanted = placed.view(exact), placed.view(approximate)
            if name in frozen:
                assert not got.any()
                continue
            size = max(np.abs(wanted).max(), 0.01 * np.abs(approximate).max())
            assert np.abs(got - wanted).max() <= LIMIT * size, (name, key)


@dtypes
@pytest.mark.parametrize("frozen", [(), ("first", "conv"), ("second", "third")], ids="-".join)
def test_n_jobs_changes_no_bit_in_a_network(frozen, dtype):
    found = []
    for n_jobs in (1, 2, 3):
        _, batch, theta, _ = network_gradient(frozen, dtype, 37, n_jobs=n_jobs)
        found.append([batch.loss(theta), batch.machine.grad.copy(), batch.machine.state.copy()])
    for other in found[1:]:
        for got, wanted in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_frozen_it_trains_on_what_it_predicts():
    """The loss in training is that of predictions, by the running statistics."""
    program, batch, theta, labels = network_gradient(("first", "second", "third"))
    proba = predict(program, theta, batch.machine.state, batch.data)
    expected = -np.log(proba[np.arange(len(labels)), labels]).mean()
    np.testing.assert_allclose(batch.loss(theta), expected, rtol=1e-12)
    _, other, _, _ = network_gradient(("first", "second"))
    assert abs(other.loss(theta) - expected) > 1e-3


@pytest.mark.parametrize("frozen", [(), ("second",), ("first", "third")], ids="-".join)
def test_frozen_memories_stay(frozen):
    program, batch, theta, _ = network_gradient(frozen)
    before = batch.machine.state.copy()
    batch.loss(theta)
    for name, own in program.memories.items():
        for placed in own.values():
            same = placed.view(batch.machine.state) == placed.view(before)
            assert same.all() if name in frozen else not same.any()


# --- batches that are hard -----------------------------------------------------------------------


def remembering(shape, rng, dtype="float64"):
    """A run with random gamma, beta, and running means and variances."""
    run, theta = started(BatchNorm(epsilon=0.1), shape, dtype)
    run.state[:] = rng.uniform(0.5, 3, run.state.size)
    return run, theta


@dtypes
@pytest.mark.parametrize("shape", [7, (1, 1, 7), (1, 40)])
def test_batch_of_one(dtype, shape, rng):
    """One place has no variance: the running statistics are used, are constants, and stay."""
    run, theta = remembering(shape, rng, dtype)
    width, before = run.units, run.state.copy()
    x, dy = batch(rng, 1, width, dtype), batch(rng, 1, width, dtype)
    gamma, beta = run.parameters(theta)
    mean, variance = memories(run)
    scale = 1 / np.sqrt(variance + 0.1)
    assert_close(run.forward(theta, x), gamma * (x - mean) * scale + beta, dtype)
    np.testing.assert_array_equal(run.state, before)
    dx, grad = run.backward(theta, x, dy)
    np.testing.assert_array_equal(run.state, before)
    assert_close(dx, gamma * dy * scale, dtype)
    dgamma, dbeta = run.parameters(grad)
    assert_close(dgamma, dy[0] * (x[0] - mean) * scale, dtype)
    np.testing.assert_array_equal(dbeta, dy[0])
    for parts in (2, 3):
        np.testing.assert_array_equal(run.forward(theta, x, parts), run.forward(theta, x))
        for got, wanted in zip(run.backward(theta, x, dy, parts), (dx, grad), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_one_row_of_several_places_has_a_variance(rng):
    run, theta = started(BatchNorm(), (2, 3))
    run.forward(theta, np.array([[1.0, 2, 3, 5, 7, -1]]))
    assert_close(memories(run)[1], 0.9 + 0.1 * np.array([8, 12.5, 8]), "float64")


def test_gradient_of_a_batch_of_one_in_a_network():
    """The last of three has one vector as input; the others have the places of an image."""
    program, batch, theta, _ = network_gradient((), n=1)
    exact = batch.gradient(theta)
    approximate = numerical_gradient(batch.loss, theta, np.arange(theta.size))
    assert np.abs(exact - approximate).max() <= LIMIT * np.abs(approximate).max()
    third = program.memories["third"].values()
    before = [placed.view(batch.machine.state).copy() for placed in third]
    batch.loss(theta)
    for placed, wanted in zip(third, before, strict=True):
        np.testing.assert_array_equal(placed.view(batch.machine.state), wanted)


@dtypes
@pytest.mark.parametrize("shape", [5, (4, 5)])
def test_small_batch_counts_by_its_rows(shape, dtype, rng):
    """A batch of 2 rows has a thirty-second of the weight of one of 64."""
    run, theta = remembering(shape, rng, dtype)
    run.ctx[TRAINING] = 64
    for n, part in [(64, 1), (2, 2 / 64), (63, 63 / 64)]:
        mean, variance = (old.copy() for old in memories(run))
        x = batch(rng, n, run.units, dtype)
        run.forward(theta, x)
        places = x.astype("float64").reshape(-1, 5)
        new_mean, new_variance = memories(run)
        assert_close(new_mean, mean + 0.1 * part * (places.mean(axis=0) - mean), dtype, 10)
        spread = places.var(axis=0, ddof=1)
        assert_close(new_variance, variance + 0.1 * part * (spread - variance), dtype, 10)


@dtypes
@pytest.mark.parametrize("n", [2, 3, 200, 1000])
def test_constant_columns(n, dtype):
    """Their output is beta, however large they are: the rounding of their mean is not spread."""
    constant = np.array([0, 1, -0.1, 1000.3, 1e6 / 7, -1e10 / 3]).astype(dtype)
    run, theta = started(BatchNorm(), 6, dtype)
    _, beta = run.parameters(theta)
    y = run.forward(theta, np.tile(constant, (n, 1)))
    np.testing.assert_array_equal(y, np.tile(beta, (n, 1)))
    mean, variance = memories(run)
    np.testing.assert_allclose(mean, 0.1 * constant, rtol=4 * np.finfo(dtype).eps)
    assert_close(variance, np.full(6, 0.9), dtype)


def test_large_mean_and_small_spread(rng):
    """In float32, as exact as the data: their own rounding is 3e-4 of their spread."""
    x = (1000 + 0.1 * rng.standard_normal((2000, 5))).astype("float32")
    run, _ = started(BatchNorm(), 5, "float32")
    theta = np.repeat([1, 0], 5).astype("float32")
    exact = x.astype("float64")
    expected = naive.standardize(exact, exact.mean(axis=0), exact.var(axis=0), 1e-5)
    np.testing.assert_allclose(run.forward(theta, x), expected, atol=5e-4)


@dtypes
def test_constant_samples(dtype):
    """A sample of equal numbers has nothing but beta to show."""
    run, theta = started(LayerNorm(), 8, dtype)
    x = np.tile([[0], [1], [-0.5], [1024]], 8).astype(dtype)
    np.testing.assert_array_equal(run.forward(theta, x), np.tile(run.parameters(theta)[1], (4, 1)))
    dx, _ = run.backward(theta, x, np.ones_like(x))
    assert np.isfinite(dx).all()


@dtypes
@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()], ids=repr)
def test_output_is_standard(layer, dtype, rng):
    """With gamma 1 and beta 0: mean 0 and variance 1 of every channel, or every sample."""
    run, _ = started(layer, 40, dtype)
    theta = np.repeat([1, 0], 40).astype(dtype)
    y = run.forward(theta, batch(rng, 300, 40, dtype)).astype("float64")
    axis = 0 if isinstance(layer, BatchNorm) else 1
    np.testing.assert_allclose(y.mean(axis=axis), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axis=axis), 1, atol=1e-2)


def test_running_means_come_to_those_of_the_data(rng):
    run, theta = started(BatchNorm(), 4)
    for _ in range(400):
        run.forward(theta, 3 + 2 * rng.standard_normal((50, 4)))
    mean, variance = memories(run)
    np.testing.assert_allclose(mean, 3, atol=0.3)
    np.testing.assert_allclose(variance, 4, atol=0.6)


def test_prediction_of_an_untrained_batch_norm_is_almost_the_input(rng):
    run, _ = started(BatchNorm(epsilon=1e-8), 4, context=PREDICT)
    x = rng.standard_normal((5, 4))
    np.testing.assert_allclose(run.forward(np.repeat([1.0, 0.0], 4), x), x, rtol=1e-7)


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [0, -1e-5, np.nan])
@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
def test_epsilon_is_positive(kind, epsilon):
    told = rf"epsilon=.* does not suit {kind.__name__}; use a number in \(0, inf\), such as 1e-05"
    with pytest.raises(ValueError, match=told):
        kind(epsilon=epsilon).output_shape((3,))


@pytest.mark.parametrize("momentum", [-0.1, 1.1, np.nan])
def test_momentum_is_a_share(momentum):
    with pytest.raises(
        ValueError, match=r"momentum=.* does not suit BatchNorm; use a number in \[0, 1\]"
    ):
        BatchNorm(momentum).output_shape((3,))

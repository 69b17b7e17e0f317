"""The gradient of the input in prediction: every layer against central differences."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.guarded_memory import Guards
from helpers.layer_cases import images, vectors
from helpers.layer_cases.vectors import batch_norm, dense, dropout, noise
from helpers.parametrize import DTYPES, names
from sklearn_nn.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import GRADIENT_ROWS, input_gradient, predict
from sklearn_nn.network.source import source

EPS = 1e-6


def programs(layers, shape, dtype="float64"):
    """The program for the gradient, and that of the raw output."""
    named = [(f"layer{i}", getattr(layer, "layer", layer)) for i, layer in enumerate(layers)]
    return lower(named, shape, dtype, input_gradient=True), lower(named, shape, dtype)


def learnt(program, rng):
    """Parameters, and memories that are far from where they began."""
    theta, state = program.new_buffers()
    for placed in program.parameters:
        placed.view(theta)[...] = 0.7 * rng.standard_normal(placed.parameter.shape)
    for arrays in program.memories.values():
        for placed in arrays.values():
            placed.view(state)[...] = rng.uniform(0.3, 3, placed.parameter.shape)
    return theta, state


def differences(program, theta, state, X, seeds):
    """Central differences of the sum of each row's seeds times its raw outputs."""
    gradient = np.zeros_like(X)
    for j in range(X.shape[1]):
        sides = []
        for step in (EPS, -EPS):
            moved = X.copy()
            moved[:, j] += step
            z = predict(program, theta, state, source(moved, "float64"))
            sides.append((z * seeds).sum(axis=1))
        gradient[:, j] = (sides[0] - sides[1]) / (2 * EPS)
    return gradient


def check(layers, shape, rng, n=3):
    program, raw = programs(layers, shape)
    theta, state = learnt(program, rng)
    X = rng.standard_normal((n, int(np.prod(shape))))
    seeds = rng.standard_normal((n, program.raw_slot[1]))
    exact = input_gradient(program, theta, state, source(X, "float64"), seeds)
    expected = differences(raw, theta, state, X, seeds)
    size = np.abs(expected).max() + 1e-6
    np.testing.assert_allclose(exact / size, expected / size, atol=2e-7)


@pytest.mark.parametrize("case", vectors.CASES, ids=names(vectors.CASES))
def test_every_layer(case, rng):
    """Between dense layers, and as the first: dropout and noise are off."""
    check([dense(4), case, dense(3)], (5,), rng)
    check([case, dense(3)], (5,), rng)


@pytest.mark.parametrize("case", images.CASES, ids=names(images.CASES))
def test_every_layer_of_images(case, rng):
    """As the first layer, whose input wants no gradient in training."""
    check([case, Flatten(), Dense(2)], case.shape, rng, n=2)


def network(dtype):
    layers = [
        noise(0.5), Conv2D(5, 3, padding="same"), BatchNorm(), Dropout(0.4), MaxPool2D(2),
        Flatten(), dense(9), dropout(0.5), batch_norm(), dense(3),
    ]  # fmt: skip
    return programs(layers, (6, 6, 2), dtype)


def prepared(dtype, n, seed=0):
    """A network with all that behaves otherwise in training, and data for it."""
    rng = np.random.default_rng(seed)
    program, _ = network(dtype)
    theta, state = learnt(program, rng)
    X, seeds = (rng.standard_normal((n, width)).astype(dtype) for width in (72, 3))
    return program, theta, state, X, seeds


def test_a_whole_network(rng):
    layers = [Conv2D(5, 3), BatchNorm(), Dropout(0.4), MaxPool2D(2), Flatten(), dense(9)]
    check([noise(0.5), *layers, dropout(0.5), batch_norm(), dense(3)], (6, 6, 2), rng, n=5)


def test_equals_torch(torch, rng):
    """A network in evaluation mode."""
    layers = [Dense(7), BatchNorm(epsilon=1e-3), Dropout(0.5), Dense(2)]
    program, _ = programs(layers, (4,))
    theta, state = learnt(program, rng)
    arrays = {
        n: {k: p.view(theta) for k, p in found.items()} for n, found in program.layers.items()
    }
    memory = {k: p.view(state) for k, p in program.memories["layer1"].items()}
    first, norm, last = torch.nn.Linear(4, 7), torch.nn.BatchNorm1d(7, 1e-3), torch.nn.Linear(7, 2)
    theirs = torch.nn.Sequential(first, norm, torch.nn.Dropout(0.5), last).double().eval()
    for layer, ours in ((first, arrays["layer0"]), (last, arrays["layer3"])):
        layer.load_state_dict(
            {"weight": torch.tensor(ours["kernel"].T.copy()), "bias": torch.tensor(ours["bias"])}
        )
    norm.weight.data, norm.bias.data = (
        torch.tensor(arrays["layer1"][name]) for name in ("gamma", "beta")
    )
    norm.running_mean[:], norm.running_var[:] = (
        torch.tensor(memory[name]) for name in ("moving_mean", "moving_variance")
    )
    X, seeds = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    there = torch.tensor(X, requires_grad=True)
    theirs(there).backward(torch.tensor(seeds))
    got = input_gradient(program, theta, state, source(X, "float64"), seeds)
    assert_close(got, there.grad.numpy(), "float64")


def test_float32(rng):
    """As float64, to the precision of float32."""
    program, theta, state, X, seeds = prepared("float32", 20)
    found = input_gradient(program, theta, state, source(X, "float32"), seeds)
    assert found.dtype == "float32"
    wide = network("float64")[0]
    assert (wide.n_theta, wide.n_state) == (program.n_theta, program.n_state)
    data = source(X.astype("float64"), "float64")
    exact = input_gradient(wide, theta.astype("float64"), state.astype("float64"), data, seeds)
    assert_close(found, exact, "float32", factor=10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_by_themselves_and_threads_change_nothing(dtype):
    n = 5 * GRADIENT_ROWS + 3
    program, theta, state, X, seeds = prepared(dtype, n)
    whole = input_gradient(program, theta, state, source(X, dtype), seeds)
    for n_jobs in (2, 3):
        other = input_gradient(program, theta, state, source(X, dtype), seeds, n_jobs)
        np.testing.assert_array_equal(other, whole)
    for rows in (slice(0, 1), slice(3, 4), slice(7, 7 + GRADIENT_ROWS), [5, 5, 2, n - 1]):
        part = input_gradient(program, theta, state, source(X[rows], dtype), seeds[rows])
        np.testing.assert_array_equal(part, whole[rows])
    assert input_gradient(program, theta, state, source(X[:0], dtype), seeds[:0]).shape == (0, 72)


def test_nothing_is_changed_or_written_beside(monkeypatch):
    guards = Guards()
    guards.install(monkeypatch)
    program, theta, state, X, seeds = prepared("float32", 37)
    before = [array.copy() for array in (theta, state, X, seeds)]
    for array in (theta, state, X, seeds):
        array.flags.writeable = False
    input_gradient(program, theta, state, source(X, "float32"), seeds, 2)
    guards.check()
    for array, was in zip((theta, state, X, seeds), before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_no_weights_kernel_is_compiled_for_it():
    """The table holds the address of none."""
    program, raw = network("float32")
    assert not program.table[:, 5].any()
    assert raw.table[:, 5].any()
    assert program.layers.keys() == raw.layers.keys()

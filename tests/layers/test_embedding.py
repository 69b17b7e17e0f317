"""Embeddings and one-hot rows: their tables, and numbers that are out of range."""

import numpy as np
import pytest

from helpers.gradient_check import check_layers
from helpers.guarded_memory import Guards
from helpers.layer_cases.ragged import own_steps
from helpers.layer_runs import LayerRun
from helpers.parametrize import dtypes
from helpers.programs import draw_theta, no_state
from sklearn_nn.layers import (
    AttentionPool,
    Conv1D,
    Dense,
    Embedding,
    GlobalAveragePool,
    OneHot,
    Parallel,
    Reshape,
)
from sklearn_nn.layers.layer import Clock
from sklearn_nn.network.initializers import Constant, get_initializer
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import input_gradient
from sklearn_nn.network.source import source


def parameter(layer, steps=4):
    """The only parameter of a layer."""
    (op,) = LayerRun(layer, (steps,), "float64").instructions
    (found,) = op.parameters
    draw, rng = get_initializer(found.initializer), np.random.RandomState(0)
    return found, draw(rng, found.shape, found.fan_in, found.fan_out)


def test_table_is_that_of_keras():
    found, table = parameter(Embedding(30, 20))
    assert (found.name, found.shape) == ("embeddings", (30, 20))
    assert 0.045 < np.abs(table).max() <= 0.05
    assert abs(table.mean()) < 0.005
    _, table = parameter(Embedding(3, 2, embeddings_initializer=Constant(4.0)))
    assert (table == 4).all()


@dtypes
@pytest.mark.parametrize("layer", [Embedding(5, 33), OneHot(5)])
def test_numbers_out_of_range_are_clipped(layer, dtype):
    """And reads no memory beside the table."""
    bad = [-1, -1e9, -np.inf, np.nan, 5, 1e9, 1e30, np.inf, -0.5, 4.5]
    near = [0, 0, 0, 0, 4, 4, 4, 4, 0, 4]
    run, guards = LayerRun(layer, (len(bad),), dtype), Guards()
    theta = guards.allocate(run.n_theta, dtype)
    theta[:] = np.random.default_rng(0).standard_normal(run.n_theta)
    x, twin = (np.array([values], dtype) for values in (bad, near))
    y = run.forward(theta, x)
    np.testing.assert_array_equal(y, run.forward(theta, twin))
    dy = np.random.default_rng(0).standard_normal(y.shape).astype(dtype)
    (dx, grad), (_, expected) = run.backward(theta, x, dy), run.backward(theta, twin, dy)
    np.testing.assert_array_equal(grad, expected)
    assert (dx == 0).all()
    guards.check()


@dtypes
def test_equals_torch(dtype, torch):
    """Values and gradient, and one-hot rows times the table."""
    n, steps, count, width = 9, 11, 13, 7
    run = LayerRun(Embedding(count, width), (steps,), dtype)
    rng = np.random.default_rng(0)
    theta, dy = (rng.standard_normal(s).astype(dtype) for s in (count * width, (n, steps * width)))
    numbers = rng.integers(0, count, (n, steps))
    table = torch.tensor(theta.reshape(count, width), requires_grad=True)
    value = torch.nn.functional.embedding(torch.tensor(numbers), table)
    value.backward(torch.tensor(dy.reshape(value.shape)))
    y = run.forward(theta, numbers.astype(dtype))
    np.testing.assert_array_equal(y, value.detach().numpy().reshape(n, -1))
    grad = run.backward(theta, numbers.astype(dtype), dy)[1]
    np.testing.assert_allclose(grad.reshape(count, width), table.grad.numpy(), 1e-5, 1e-5)
    rows = LayerRun(OneHot(count), (steps,), dtype).forward(theta[:0], numbers.astype(dtype))
    product = rows.reshape(n, steps, count) @ theta.reshape(count, width)
    np.testing.assert_array_equal(y, product.reshape(n, -1))


@pytest.mark.parametrize("pool", [GlobalAveragePool(), AttentionPool(3)])
def test_gradient_through_the_machine(pool):
    X = np.random.default_rng(0).integers(0, 6, (19, 5)).astype(float)
    for shape in ((5,), (5, 1)):
        check_layers([Embedding(6, 4), Conv1D(5, 2), pool, Dense(2)], shape, X)


@pytest.mark.parametrize("layer", [Embedding(4, 2), OneHot(4)])
@pytest.mark.parametrize("before", [Dense(3), Reshape((2,))])
def test_must_be_first(layer, before):
    """Outputs of other layers are not checked, and would be clipped to whole numbers."""
    message = f"layer 'words': {type(layer).__name__} reads the whole numbers of X"
    with pytest.raises(ValueError, match=message):
        lower([("before", before), ("words", layer)], (2,), "float64")
    lower([("branches", Parallel([layer, layer]))], (2,), "float64")


def test_input_has_no_gradient():
    """The input is clipped and cut to whole numbers, which has no slope."""
    layers = [("words", Embedding(4, 2)), ("pool", GlobalAveragePool())]
    program, rng = lower(layers, (5,), "float64", input_gradient=True), np.random.default_rng(0)
    theta, X = draw_theta(program, rng), rng.integers(0, 4, (9, 5)).astype(float)
    seeds = rng.standard_normal((9, 2))
    found = input_gradient(program, theta, no_state(program), source(X, "float64"), seeds)
    np.testing.assert_array_equal(found, np.zeros((9, 5)))


# --- what it takes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Embedding(5, 3), (4, 2), r"Embedding takes sequences of whole numbers, .* shape \(4, 2\)"),
        (OneHot(5), (4, 1, 1), r"OneHot takes sequences of whole numbers, .* pass X as rows"),
        (Embedding(0, 3), (4,), "input_dim=0 must be a positive whole number"),
        (Embedding(5, 2.5), (4,), r"output_dim=2\.5 must be a positive whole number"),
        (OneHot(None), (4,), "input_dim=None must be a positive whole number"),
        (Embedding(2**24 + 1, 1), (4,), "input_dim=16777217 of Embedding must be at most 16777216"),
    ],
)
def test_arguments_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
    with pytest.raises(ValueError, match=f"layer 'words': {message}"):
        lower([("words", layer)], shape, "float32")


def test_checks_values():
    for layer, kind in ((Embedding(65, 8), "Embedding"), (OneHot(65), "OneHot")):
        assert layer.reads_whole_numbers
        layer.check_values(0, 64, True)
        layer.check_values(np.float32(3), np.float32(3), True)
        reads = rf"{kind}\(input_dim=65\) reads whole numbers from 0 to 64"
        with pytest.raises(ValueError, match=rf"X holds 70, and {reads}; use input_dim=71\."):
            layer.check_values(0, 70.0, True)
        with pytest.raises(ValueError, match=rf"X holds -1, and {reads}; number them first"):
            layer.check_values(-1.0, 3.0, True)
        with pytest.raises(ValueError, match=f"X holds numbers that are not whole, and {reads}"):
            layer.check_values(0.5, 3.0, False)
        for values in ((np.nan, 3.0), (0.0, np.nan)):
            with pytest.raises(ValueError, match="X holds nan"):
                layer.check_values(*values, True)
    assert not Dense(3).reads_whole_numbers
    Dense(3).check_values(-1e9, np.nan, False)


def test_padding_value():
    assert Embedding(5, 3, mask_zero=True).padding_value == 0
    assert Embedding(5, 3).padding_value is None
    assert OneHot(5).padding_value is None
    assert Dense(3).padding_value is None


def test_clock_goes_on():
    for layer in (Embedding(5, 3), OneHot(5)):
        for shape in ((6,), (6, 1)):
            run = LayerRun(layer, shape, "float64", lengths=[2, 6])
            assert run.clock == Clock(0, 1)
            assert own_steps(run.clock, 2) == 2

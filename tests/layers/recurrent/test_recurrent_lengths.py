"""Recurrent layers on sequences of unequal length, and on batches that go on."""

import re

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.gradient_check import check_layers
from helpers.layer_cases.recurrent import Ragged, draw, kinds, pad, ways
from helpers.layer_runs import LayerRun
from helpers.naive.recurrent import run as naive
from helpers.parametrize import dtypes
from sklearn_nn.layers import Dense
from sklearn_nn.layers.base import CONTINUES
from sklearn_nn.layers.layer import Clock
from sklearn_nn.network.lowering import ProgramBuilder


@ways
@kinds
def test_a_row_without_steps_gives_zeros(kind, way):
    case = Ragged(kind(3, **way), [0, 2, 0], 2, "float64")
    x, dy = case.padded(4)
    run = case.run(4)
    y = run.forward(case.theta, x)
    assert not y[[0, 2]].any()
    assert y[1].any()
    dx, grad = run.backward(case.theta, x, dy)
    assert not dx[[0, 2]].any()
    assert np.isfinite(grad).all()


@kinds
def test_batches_without_any_steps(kind):
    case = Ragged(kind(3, go_backwards=True), [0, 0], 2, "float64")
    x, dy = pad(case.rows, 4, 7.0), draw("float64", 2, 3)
    run = LayerRun(case.layer, (4, 2), "float64", lengths=[0, 0])
    theta = draw("float64", run.n_theta)
    assert not run.forward(theta, x).any()
    dx, grad = run.backward(theta, x, dy)
    assert not dx.any()
    assert not grad.any()


@kinds
def test_clock_of_the_output(kind):
    builder = ProgramBuilder()
    clock = Clock(-1, 2)
    slot = builder.slot((5, 2), clock)
    assert builder.clock(builder.add("a", kind(3, return_sequences=True), slot)) == clock
    assert builder.clock(builder.add("b", kind(3), slot)) is None


# --- batches that go on -------------------------------------------------------------------------


def carrying(kind, units, steps, features, dtype, lengths=None, **way):
    """A run of a layer that remembers, and its parameters."""
    run = LayerRun(kind(units, **way), (steps, features), dtype, lengths=lengths, carries=True)
    return run, draw(dtype, run.n_theta, scale=0.5)


@dtypes
@kinds
def test_windows_are_the_whole_cut_up(kind, dtype):
    """To the last bit; and the gradient stops at the window's first step."""
    n, steps, features, units = 11, 4, 3, 6
    whole = draw(dtype, n, 3 * steps, features)
    alone = LayerRun(kind(units, return_sequences=True), whole.shape[1:], dtype)
    run, theta = carrying(kind, units, steps, features, dtype, return_sequences=True)
    expected = alone.forward(theta, whole.reshape(n, -1)).reshape(n, 3, -1)
    windows = [part.reshape(n, -1).copy() for part in np.split(whole, 3, axis=1)]
    for k, window in enumerate(windows):
        for parts in (1, 2, 3):
            np.testing.assert_array_equal(run.forward(theta, window, parts), expected[:, k])
        run.go_on(theta, window)
    run.ctx[CONTINUES] = 0
    np.testing.assert_array_equal(run.forward(theta, windows[0]), expected[:, 0])


@dtypes
@kinds
def test_gradient_of_a_window_that_goes_on(kind, dtype):
    """That of the naive cell from the state that the batch before left."""
    n, steps, features, units = 11, 4, 3, 6
    run, theta = carrying(kind, units, steps, features, dtype)
    first, second = draw(dtype, 2, n, steps, features)
    dy = draw(dtype, n, units, seed=1)
    run.go_on(theta, first.reshape(n, -1))
    parameters = [p.astype("float64") for p in run.parameters(theta)]
    arguments = [a.astype("float64") for a in (first, second, dy)]
    twin = kind(units)
    state = naive(twin, parameters, arguments[0], last=True)
    y = naive(twin, parameters, arguments[1], start=state)
    assert_close(run.forward(theta, second.reshape(n, -1)), y, dtype, factor=4)
    dx, gradients = naive(twin, parameters, *arguments[1:], start=state)
    wanted = np.concatenate([g.ravel() for g in gradients])
    for parts in (1, 2, 3):
        got, grad = run.backward(theta, second.reshape(n, -1), dy, parts)
        assert_close(got, dx.reshape(n, -1), dtype, factor=10)
        scale = max(1.0, np.abs(wanted).max())
        assert_close(grad / scale, wanted / scale, dtype, factor=4)


@dtypes
@kinds
def test_a_row_goes_on_from_its_own_last_step(kind, dtype):
    """A row without steps keeps what it had, from the beginning or from before."""
    n, steps, features, units = 4, 5, 2, 3
    lengths = np.array([[5, 0, 2, 3], [2, 4, 0, 5], [1, 3, 4, 0]])
    run, theta = carrying(kind, units, steps, features, dtype, lengths[0])
    rows = [
        [draw(dtype, length, features, seed=10 * w + k) for k, length in enumerate(of_window)]
        for w, of_window in enumerate(lengths)
    ]
    for w, of_window in enumerate(lengths):
        run.set_lengths(of_window)
        x = pad(rows[w], steps, 7.0)
        y = run.forward(theta, x)
        for k in range(n):
            read = np.concatenate([rows[v][k] for v in range(w + 1)])
            if not len(read):
                np.testing.assert_array_equal(y[k], 0)
                continue
            alone = LayerRun(kind(units), read.shape, dtype)
            np.testing.assert_array_equal(y[k], alone.forward(theta, read.reshape(1, -1))[0])
        run.go_on(theta, x)


@kinds
def test_backward_layers_cannot_carry_their_state(kind):
    builder = ProgramBuilder(carries=True)
    message = re.escape(f"{kind.__name__} with go_backwards=True cannot continue")
    with pytest.raises(ValueError, match=message):
        kind(3, go_backwards=True).lower(builder, builder.slot((4, 2)))


@kinds
def test_gradient_check_of_unequal_lengths(kind):
    """Two layers, of which one is turned, through the machine; short and long batches."""
    layers = [kind(4, return_sequences=True, go_backwards=True), kind(3), Dense(2)]
    check_layers(layers, (6, 2), ragged=True)

"""Targets for every step of a sequence, and sequences that are read window by window."""

import numpy as np
import pytest

from helpers.parametrize import dtypes
from helpers.programs import Gradient, draw_theta
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.layers import Conv1D, Layer
from sklearn_nn.layers.base import BACKWARD, CONTINUES, FORWARD, owned_rows
from sklearn_nn.layers.layer import Instruction, Kernels
from sklearn_nn.layers.lengths import longest, own_steps
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import Machine, Predictor, Update
from sklearn_nn.network.source import in_windows, sequences, source
from sklearn_nn.training.losses import SoftmaxLogLoss, SquaredError


@kernel(FORWARD)
def running_sum_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y of a step = sum of x to there; behind the steps, what is remembered. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        total = y[i, op[0]] if ctx[CONTINUES] else x[i, 0] * 0
        for t in range(own_steps(ctx, op[1], op[2], i, op[0])):
            total += x[i, t]
            y[i, t] = total
        y[i, op[0]] = total
        for t in range(own_steps(ctx, op[1], op[2], i, op[0]), op[0]):
            y[i, t] = longest(ctx, op[1], op[2], op[0])


@kernel(BACKWARD)
def running_sum_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum of dy from there. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        total = dy[i, 0] * 0
        for t in range(op[0] - 1, -1, -1):
            total += dy[i, t]
            dx[i, t] = total


class RunningSum(Layer):
    """The sum of a sequence of one channel so far, with one step more: what it remembers."""

    lengths = "reads"

    def output_shape(self, shape):
        return (shape[0] + 1, 1)

    def lower(self, builder, slot):
        steps, _ = builder.shape(slot)
        out = builder.slot((steps + 1, 1))
        clock = builder.clock(slot) or (0, 0)
        kernels = Kernels(running_sum_forward, running_sum_backward)
        return builder.append(Instruction(slot, out, kernels, geometry=(steps, *clock)))


def per_step(dtype, n, steps, loss, rng, weighted):
    """A network with an output for every step, and targets."""
    layer = Conv1D(3, 1)
    program = lower([("conv", layer)], (steps, 2), dtype, loss.link_layer())
    assert program.steps == steps
    X = rng.standard_normal((n, steps * 2)).astype(dtype)
    labels = rng.integers(0, 3, (n * steps, 1)).astype(dtype)
    y = labels if isinstance(loss, SoftmaxLogLoss) else rng.standard_normal((n * steps, 3))
    weight = rng.random(n * steps) if weighted else None
    return program, X, y, weight


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [SoftmaxLogLoss(), SquaredError()], ids=["softmax", "squared"])
@dtypes
def test_a_row_of_steps_is_as_many_rows(dtype, loss, weighted, rng):
    """Loss and gradient are those of a network that gets every step as a row, to the last bit."""
    n, steps = 21, 5
    program, X, y, weight = per_step(dtype, n, steps, loss, rng, weighted)
    theta = draw_theta(program, rng)
    alone = lower([("conv", Conv1D(3, 1))], (1, 2), dtype, loss.link_layer())
    twin = Gradient(alone, X.reshape(-1, 2), loss.targets(y, weight, dtype))
    for n_jobs in (1, 2, 3):
        run = Gradient(program, X, loss.targets(y, weight, dtype), n_jobs=n_jobs)
        np.testing.assert_allclose(run.loss(theta), twin.loss(theta), rtol=1e-12)
        tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
        np.testing.assert_allclose(
            run.gradient(theta), twin.gradient(theta), rtol=tolerance, atol=tolerance
        )


@dtypes
def test_losses_of_steps_in_prediction(dtype, rng):
    """The Predictor's loss of each step is the twin's; probabilities are taken step by step."""
    loss = SoftmaxLogLoss()
    program, X, y, weight = per_step(dtype, 40, 5, loss, rng, True)
    theta, state = draw_theta(program, rng), program.initial_state()
    alone = lower([("conv", Conv1D(3, 1))], (1, 2), dtype, loss.link_layer())
    rows = rng.permutation(40)
    steps = (rows[:, np.newaxis] * 5 + np.arange(5)).ravel()
    targets = loss.targets(y, weight, dtype)
    got = Predictor(program, source(X, dtype), rows, targets, 2)
    twin = Predictor(alone, source(X.reshape(-1, 2), dtype), steps, targets)
    np.testing.assert_array_equal(got.run(theta, state).reshape(-1, 3), twin.run(theta, state))
    np.testing.assert_array_equal(got.losses.ravel(), twin.losses.ravel())
    alone = Predictor(program, source(X, dtype), rows, targets, 2, keeps_output=False)
    assert alone.run(theta, state).shape == (40, 0)
    np.testing.assert_array_equal(alone.losses, got.losses)


@dtypes
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_rows_of_unequal_length_come_back_in_their_order(dtype, n_jobs, rng):
    """Prediction sorts by length within; padding of each block is to its longest."""
    lengths = rng.integers(0, 30, 700)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    values = rng.integers(0, 9, lengths.sum()).astype(dtype)
    data = sequences(values, starts, lengths, 1, dtype)
    program = lower([("sum", RunningSum())], (data.width, 1), dtype, ragged=True)
    theta, state = program.new_buffers()
    predictor = Predictor(program, data, np.arange(700), None, n_jobs)
    out = predictor.run(theta, state)
    for k in range(700):
        own = values[starts[k] : starts[k] + lengths[k]]
        np.testing.assert_array_equal(out[k, : lengths[k]], np.cumsum(own))
        assert out[k, -1] == own.sum()
    assert (out[:, -2][lengths < data.width] < data.width).any()  # not all blocks are the longest


@dtypes
@pytest.mark.parametrize(("rows", "n_jobs"), [(200, 1), (700, 1), (700, 2), (700, 3)])
def test_windows_go_on(dtype, rows, n_jobs, rng):
    """Sequences cut into windows give what they give whole; the next run can go on, too."""
    n, windows, width = rows, 4, 5
    whole = rng.integers(0, 9, (n, windows * width)).astype(dtype)
    starts = np.arange(n) * windows * width
    lengths = rng.integers(0, windows * width + 1, n)
    lengths[0] = windows * width
    data = sequences(whole.ravel(), starts, lengths, 1, dtype, width)
    assert (data.n_rows, data.windows, data.width) == (n, windows, width)
    program = lower([("sum", RunningSum())], (width, 1), dtype, ragged=True, carries=True)
    theta, state = program.new_buffers()
    predictor = Predictor(program, data, None, None, n_jobs)
    sums = np.cumsum(whole, axis=1)
    for continues in (False, True, False) if rows < 256 else (False, False):
        out = predictor.run(theta, state, continues=continues)
        before = sums[np.arange(n), lengths - 1] * (lengths > 0) if continues else np.zeros(n)
        out = out.reshape(n, windows, width + 1)
        got = out[:, :, :-1].reshape(n, -1)
        for k in range(n):
            own = slice(0, lengths[k])
            np.testing.assert_array_equal(got[k, own], before[k] + sums[k, own])
    if rows > 256 * n_jobs:  # blocks follow one another in one place: only the last is remembered
        with pytest.raises(AssertionError):
            predictor.run(theta, state, continues=True)


@dtypes
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_training_goes_on_from_window_to_window(dtype, n_jobs, rng):
    """The loss of each batch is that of its window; every first window begins anew."""
    n, windows, width = 24, 3, 5
    whole = rng.integers(0, 9, (2 * n, windows * width)).astype(dtype)
    data = in_windows(whole, windows, dtype)
    assert (data.n_rows, data.windows, data.width) == (2 * n, windows, width)
    order = np.concatenate([data.numbers(np.arange(n) + k * n) for k in range(2)])
    program = lower([("sum", RunningSum())], (width, 1), dtype, carries=True)
    loss = SquaredError()
    y = rng.standard_normal((2 * n * windows * (width + 1), 1))
    theta, state = program.new_buffers()
    machine = Machine(program, theta, state, n, n_jobs=n_jobs)
    nothing = Update(0, np.zeros((6, 1)), np.zeros((0, 0), dtype))
    targets = loss.targets(y, None, dtype)
    losses = machine.train(data, targets, order, n, 0, 6, nothing, windows=windows)
    sums = np.cumsum(whole, axis=1).reshape(2 * n, windows, width)
    out = np.concatenate([sums, sums[:, :, -1:]], axis=2)
    residual = out.astype("float64") - y.reshape(2 * n, windows, width + 1)
    expected = (residual**2 / 2).reshape(2, n, windows, -1).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(losses, expected, rtol=1e-6)

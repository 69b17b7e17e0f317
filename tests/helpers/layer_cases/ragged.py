"""Layers run on sequences of unequal length, in room for more steps than there are."""

from dataclasses import replace

import numpy as np

from helpers.comparison import assert_close
from helpers.layer_cases.base import CONTEXT
from helpers.layer_runs import LayerRun

#: Steps of the rows of a batch: none, all, and what kernels of several steps do not fit.
LENGTHS = [5, 0, 9, 1, 2, 9, 3, 4, 8, 7, 6, 1, 0, 9, 5, 3, 2, 7, 9]


def own_steps(clock, n):
    """Return the number of steps that a sequence of n steps has in a slot of this clock."""
    return max(n + clock.offset, 0) // clock.stride


class Batch:
    """A layer run on sequences of unequal length, in room for `most` steps.

    Attributes
    ----------
    y : list of ndarray
        The output of each row without its padding: (steps, channels), or a vector.
    padding : list of ndarray
        The padding of the output of each row.
    dx : list of ndarray
        The gradient of the input of each row, of shape (steps, channels).
    grad : ndarray
        The gradient of all parameters.
    """

    def __init__(self, case, dtype, lengths, most, *, parts=1, fill=1e3, seed=0):
        channels, longest = case.shape[-1], max(LENGTHS)
        shape, plan = (most, channels), case.plan
        memory = fill if plan.memory is None else plan.memory
        self.run = run = LayerRun(case.layer, shape, dtype, CONTEXT, lengths, memory)
        rng, n = np.random.default_rng(seed), len(lengths)
        self.theta = plan.parameter_scale * rng.standard_normal(run.n_theta)
        self.theta = self.theta.astype("float32").astype(dtype)
        whole = replace(case, shapes=((longest, channels),)).draw(np.random.default_rng(seed), n)
        self.x = whole.astype(dtype).reshape(n, longest, channels)[:, :most]
        room = np.full((n, *shape), fill, dtype)
        for row, sequence, steps in zip(room, self.x, lengths, strict=True):
            row[:steps] = sequence[:steps]
        out = (n, *case.layer.output_shape(shape))
        widest = (n, *case.layer.output_shape((longest, channels)))
        own = rng.standard_normal(widest).astype("float32").astype(dtype)
        self.dy, self.own = np.zeros(out, dtype), [None] * n
        for i, steps in enumerate(lengths):
            self.own[i] = slice(None if run.clock is None else own_steps(run.clock, steps))
            self.dy[i][self.own[i]] = own[i][self.own[i]]
        room, dy = room.reshape(n, -1), self.dy.reshape(n, -1)
        y = run.forward(self.theta, room, parts).reshape(out)
        self.y = [row[part] for row, part in zip(y, self.own, strict=True)]
        self.padding = [row[len(part) :] for row, part in zip(y, self.y, strict=True)]
        dx, self.grad = run.backward(self.theta, room, dy, parts)
        self.dx = list(dx.reshape(n, *shape))


def alone(case, dtype, batch, i, steps):
    """Return y, dx and the gradient of the parameters of row i among sequences of its length.

    None where there is no such program: without steps, and where a window does not fit.
    """
    if steps == 0:
        return None
    try:
        run = LayerRun(case.layer, (steps, case.shape[-1]), dtype, CONTEXT)
    except ValueError as error:
        if "does not fit" not in str(error):
            raise
        return None
    x = np.repeat(batch.x[i : i + 1, :steps], i + 1, axis=0).reshape(i + 1, -1)
    out = case.layer.output_shape((steps, case.shape[-1]))
    dy = np.zeros((i + 1, *out), dtype)
    dy[i] = batch.dy[i][batch.own[i]]
    y = run.forward(batch.theta, x)[i].reshape(out)
    dx, grad = run.backward(batch.theta, x, dy.reshape(i + 1, -1))
    return y, dx[i].reshape(steps, -1), grad


def check_padding(case, dtype):
    """Assert that neither the amount of padding nor what lies in it changes a bit of any row."""
    batches = [
        Batch(case, dtype, LENGTHS, most, parts=parts, fill=fill)
        for most, parts, fill in [(9, 1, 1e3), (9, 3, -7.0), (12, 1, 1e3), (31, 2, 0.5)]
    ]
    total, clock = np.zeros(batches[0].grad.size), batches[0].run.clock
    for i, steps in enumerate(LENGTHS):
        found = alone(case, dtype, batches[0], i, steps)
        if found is None:
            y, dx = np.zeros_like(batches[0].y[i]), 0
            assert clock is None or len(y) == 0
        else:
            y, dx, grad = found
            total += grad
        for batch in batches:
            np.testing.assert_array_equal(batch.y[i], y)
            np.testing.assert_array_equal(batch.dx[i][:steps], dx)
            assert (batch.dx[i][steps:] == 0).all()
            if case.plan.pads_with_zeros:
                assert (batch.padding[i] == 0).all()
    for batch in batches:
        scale = max(1.0, np.abs(total).max(initial=0))
        assert_close(batch.grad / scale, total / scale, dtype, factor=4)
    np.testing.assert_array_equal(batches[0].grad, batches[1].grad)

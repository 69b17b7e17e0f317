"""Small networks for tests: built, run and taken apart below the estimators."""

import itertools
from typing import NamedTuple

import numpy as np

from sklearn_nn.layers.base import (
    CONTINUES,
    CTX_SIZE,
    LENGTHS,
    LONGEST,
    SEED,
    STEP,
    TRAINING,
    Clock,
)
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.network.machine import Machine, Update, predict
from sklearn_nn.network.program import GEOMETRY, TABLE_WIDTH
from sklearn_nn.network.source import Source, source
from sklearn_nn.training.optimizer_state import OptimizerState
from sklearn_nn.training.schedules import Constant

#: How far a result may lie from its naive twin: relative, or absolute below one.
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def assert_close(actual, expected, dtype, factor=1.0):
    """Equal to the precision that a dtype promises."""
    tolerance = factor * TOLERANCE[dtype]
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def assert_same_bits(actual, expected):
    """Two runs of `train` left the same behind."""
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def build(layers, width, dtype, loss=None):
    """The program of some layers (Layer or rows of cases.LAYERS), with the loss's link."""
    layers = [getattr(layer, "layer", layer) for layer in layers]
    named = [(f"layer{i}", layer) for i, layer in enumerate(layers)]
    return lower(named, (width,), dtype, None if loss is None else loss.link_layer())


def draw_theta(program, rng, scale=0.5):
    """Parameters that are all of ordinary size, biases too. Gaps between them are zero."""
    theta = np.zeros(program.n_theta, program.dtype)
    for placed in program.parameters:
        view = placed.view(theta)
        view[...] = scale * rng.standard_normal(view.shape)
    return theta


def no_state(program):
    return program.initial_state()


def nothing(program):
    """The update that computes gradients and changes no parameter."""
    return Update(0, np.zeros((1, 1)), np.zeros((0, 0), program.dtype))


class Gradient:
    """Loss and gradient of one batch as functions of theta, through the machine."""

    def __init__(self, program, X, targets, *, step=0, **options):
        self.program, self.targets, self.step = program, targets, step
        self.data = X if isinstance(X, Source) else source(X, program.dtype)
        theta = np.zeros(program.n_theta, program.dtype)
        n = self.data.n_rows
        self.machine = Machine(program, theta, no_state(program), n, **options)
        self.arguments = (np.arange(n), n, 0, 1, nothing(program), step)

    def loss(self, theta):
        """The batch's loss, penalty included."""
        self.machine.theta[:] = theta
        return self.machine.train(self.data, self.targets, *self.arguments)[0]

    def gradient(self, theta):
        """The gradient that the optimizer would see."""
        self.loss(theta)
        return self.machine.grad.copy()


class Trained(NamedTuple):
    """What training leaves behind."""

    theta: np.ndarray
    losses: np.ndarray
    moments: np.ndarray
    state: np.ndarray
    average: np.ndarray | None


def train(
    program, theta, X, targets, optimizer, *, order, batch_size, rate=0.01, slices=1,
    weight_decay=None, averaged=False, **options,
):  # fmt: skip
    """Train a copy of theta on every batch of `order` once."""
    own, state = program.new_buffers()
    own[:], state[:] = theta, program.initial_state()
    machine = Machine(program, own, state, batch_size, **options)
    descent = OptimizerState.start(
        optimizer, Constant(), rate, own, weight_decay=weight_decay, averaged=averaged
    )
    n_batches = -(-len(order) // batch_size)
    edges = np.linspace(0, n_batches, slices + 1).astype(int)
    losses = []
    for first, last in itertools.pairwise(edges):
        losses.append(
            machine.train(
                source(X, program.dtype), targets, order, batch_size, first, last,
                descent.update(last - first), descent.step,
            )
        )  # fmt: skip
        descent.step += last - first
    return Trained(own, np.concatenate(losses), descent.moments, state, descent.average)


def forward(program, theta, X, **options):
    """The output after the link."""
    return predict(program, theta, no_state(program), source(X, program.dtype), **options)


def _spans(sizes):
    """Where arrays lie that follow one another in a flat vector."""
    return [slice(*edges) for edges in itertools.pairwise([0, *np.cumsum(sizes, dtype=int)])]


class LayerRun:
    """A layer, run kernel by kernel from Python on memory full of NaN.

    Instructions follow one another as in the machine, and in training the kernels that sum over
    the batch run before those that need the sums. `state` goes on from run to run.

    With `lengths`, the steps of each row of the batch, samples are sequences of unequal length.
    Memory is then full of `fill`: padding is finite, and otherwise undefined. Gradients are NaN
    still, until they are written.

    With `carries`, a batch may go on where the one before ended, after `go_on`.
    """

    def __init__(self, layer, shape, dtype, context=None, lengths=None, fill=1e3, carries=False):
        builder, self._before = ProgramBuilder(carries=carries), None
        ragged = lengths is not None
        shape = shape if isinstance(shape, tuple) else (shape,)
        self.input = builder.slot(shape, Clock(0, 1) if ragged else None)
        if ragged:
            self.output = builder.add("layer", layer, self.input)
        else:
            self.output = layer.lower(builder, self.input)
        self.clock, self.fill = builder.clock(self.output), fill if ragged else np.nan
        self.dtype, self.instructions = dtype, builder.instructions
        self.widths = [int(np.prod(sizes)) for sizes in builder.slots]
        self.units = self.widths[self.output]
        self._theta = _spans([sum(p.size for p in op.parameters) for op in self.instructions])
        self._state = _spans([sum(m.size for m in op.state) for op in self.instructions])
        self._work = _spans([op.work for op in self.instructions])
        self.n_theta = sum(p.size for op in self.instructions for p in op.parameters)
        memories = [np.full(m.size, m.start) for op in self.instructions for m in op.state]
        self.state = np.concatenate([np.zeros(0), *memories]).astype(dtype)
        # A kernel's room for scratch is behind its context.
        self._room = slice(
            CTX_SIZE, CTX_SIZE + max((op.scratch for op in self.instructions), default=0)
        )
        self.ctx = np.zeros(self._room.stop, np.int64)
        if ragged:
            self.set_lengths(lengths)
        if context is not None:
            self.ctx[[SEED, STEP, TRAINING]] = context.seed, context.step, context.training

    def set_lengths(self, lengths):
        """The steps of each row of the batch."""
        self.ctx[[LENGTHS, LONGEST]] = self._room.stop, max(lengths)
        self.ctx = np.concatenate([self.ctx[: self._room.stop], lengths])

    def go_on(self, theta, x):
        """Run a batch; those that follow find what it left in the slots, and go on there."""
        self._before = self._run_forward(theta, x, 1)[0]
        self.ctx[CONTINUES] = 1

    def parameters(self, theta):
        """The parameters that lie in a flat vector."""
        found = [p for op in self.instructions for p in op.parameters]
        spans = _spans([p.size for p in found])
        return [theta[span].reshape(p.shape) for span, p in zip(spans, found, strict=True)]

    def _every_part(self, kernel, parts, op, *arguments):
        if kernel is None:
            return
        geometry = np.zeros(TABLE_WIDTH - GEOMETRY, np.int64)
        geometry[: len(op.geometry)] = op.geometry
        # From the last part to the first: none may rest on what another has written.
        # Nor may it find anything in its room: the bits are NaN in both dtypes.
        for part in range(parts - 1, -1, -1):
            self.ctx[self._room] = np.iinfo(np.int64).max
            kernel(self.ctx, geometry, part, parts, *arguments)

    def _run_forward(self, theta, x, parts):
        """The value of every slot, and what the kernels left in `work`."""
        slots = [np.full((len(x), width), self.fill, self.dtype) for width in self.widths]
        if self._before is not None:
            slots = [slot.copy() for slot in self._before]
        slots[self.input] = x
        work = np.full(sum(op.work for op in self.instructions), np.nan, self.dtype)
        for k, op in enumerate(self.instructions):
            forward, sums, *_ = op.kernels
            arguments = (theta[self._theta[k]], self.state[self._state[k]], work[self._work[k]])
            arguments += (slots[op.x], slots[op.y])
            if self.ctx[TRAINING]:
                self._every_part(sums, parts, op, *arguments)
            self._every_part(forward, parts, op, *arguments)
        return slots, work

    def forward(self, theta, x, parts=1):
        """y."""
        return self._run_forward(theta, x, parts)[0][self.output]

    def backward(self, theta, x, dy, parts=1):
        """dx and the parameters' gradient, after a run forward."""
        slots, whole_work = self._run_forward(theta, x, parts)
        gradients = {self.output: dy}
        whole_grad = np.full(self.n_theta, np.nan, self.dtype)
        for k, op in reversed(list(enumerate(self.instructions))):
            _, _, prepare, backward, sums, weights = op.kernels
            sums = sums if self.ctx[TRAINING] else None
            span, work = self._theta[k], whole_work[self._work[k]]
            in_place = op.x == op.y
            dx = gradients[op.y] if in_place else np.full_like(slots[op.x], np.nan)
            arguments = (theta[span], whole_grad[span], self.state[self._state[k]], work)
            arguments += (slots[op.x], slots[op.y], dx, gradients[op.y])
            self._every_part(prepare, parts, op, theta[span], work)
            for kernel in (sums, backward, weights):
                self._every_part(kernel, parts, op, *arguments)
            # A slot read by two instructions gets the sum of two gradients.
            added = op.x in gradients and not in_place
            gradients[op.x] = gradients[op.x] + dx if added else dx
        return gradients[self.input], whole_grad

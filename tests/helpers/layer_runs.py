"""Layers run kernel by kernel from Python."""

import itertools

import numpy as np

from sklearn_nn.layers.base import (
    CONTINUES,
    CTX_SIZE,
    LENGTHS,
    LONGEST,
    SEED,
    STEP,
    TRAINING,
)
from sklearn_nn.layers.layer import Clock
from sklearn_nn.network.lowering import ProgramBuilder
from sklearn_nn.network.program import GEOMETRY, LEAST_WIDTH


def _spans(sizes):
    """Return the slices of arrays that follow one another in a flat vector."""
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
        self.clock, self.shape = builder.clock(self.output), builder.shape(self.output)
        # The slot that it ends in may be another name for the columns of one before.
        self.output, self.fill = builder.homes[self.output], fill if ragged else np.nan
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
        """Set the number of steps of each row of the batch."""
        self.ctx[[LENGTHS, LONGEST]] = self._room.stop, max(lengths)
        self.ctx = np.concatenate([self.ctx[: self._room.stop], lengths])

    def go_on(self, theta, x):
        """Run a batch; those that follow find what it left in the slots, and go on there."""
        self._before = self._run_forward(theta, x, 1)[0]
        self.ctx[CONTINUES] = 1

    def parameters(self, theta):
        """Return the parameters that lie in a flat vector."""
        found = [p for op in self.instructions for p in op.parameters]
        spans = _spans([p.size for p in found])
        return [theta[span].reshape(p.shape) for span, p in zip(spans, found, strict=True)]

    def _every_part(self, kernel, parts, op, *arguments):
        if kernel is None:
            return
        geometry = np.zeros(max(LEAST_WIDTH - GEOMETRY, len(op.geometry)), np.int64)
        geometry[: len(op.geometry)] = op.geometry
        # From the last part to the first: none may rest on what another has written.
        # Nor may it find anything in its room: the bits are NaN in both dtypes.
        for part in range(parts - 1, -1, -1):
            self.ctx[self._room] = np.iinfo(np.int64).max
            kernel(self.ctx, geometry, part, parts, *arguments)

    def _run_forward(self, theta, x, parts):
        """Return the value of every slot, and what the kernels left in `work`."""
        slots = [np.full((len(x), width), self.fill, self.dtype) for width in self.widths]
        if self._before is not None:
            slots = [slot.copy() for slot in self._before]
        slots[self.input] = x
        work = np.full(sum(op.work for op in self.instructions), np.nan, self.dtype)
        for k, op in enumerate(self.instructions):
            forward, sums = op.kernels.forward, op.kernels.forward_sums
            arguments = (theta[self._theta[k]], self.state[self._state[k]], work[self._work[k]])
            arguments += (slots[op.x], slots[op.y])
            if self.ctx[TRAINING]:
                self._every_part(sums, parts, op, *arguments)
            self._every_part(forward, parts, op, *arguments)
        return slots, work

    def forward(self, theta, x, parts=1):
        """Return y."""
        return self._run_forward(theta, x, parts)[0][self.output]

    def backward(self, theta, x, dy, parts=1):
        """Return dx and the gradient of the parameters, after a run forward."""
        slots, whole_work = self._run_forward(theta, x, parts)
        gradients = {self.output: dy}
        whole_grad = np.full(self.n_theta, np.nan, self.dtype)
        for k, op in reversed(list(enumerate(self.instructions))):
            _, backward, weights, prepare, _, sums = op.kernels
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

"""Pooling over all places of a sample, or over the own steps of a sequence.

Kernels run along the channels of a place. A sequence without steps becomes zeros. NaN counts as
larger than any number.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Shape
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry: places, channels, and the clock.
PLACES, CHANNELS, OFFSET, STRIDE = range(4)


@njit(**INLINED_OPTIONS)
def own_places(ctx, op, i):
    """Return the number of places of row i that are not padding."""
    return own_steps(ctx, op[OFFSET], op[STRIDE], i, op[PLACES])


@kernel(FORWARD)
def mean_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = mean of the own places. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[CHANNELS], x.shape[1]
    for i in range(lo, hi):
        places, mean = own_places(ctx, op, i), vector(y, i * channels, channels)
        clear(mean)
        for t in range(places):
            place = vector(x, i * size + t * channels, channels)
            for c in range(channels):
                mean[c] += place[c]
        share_of_one = like(x[0, 0], 1.0 / max(places, 1))
        for c in range(channels):
            mean[c] *= share_of_one


@kernel(BACKWARD)
def mean_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy / number of own places; 0 in the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[CHANNELS], dx.shape[1]
    for i in range(lo, hi):
        places, gradient = own_places(ctx, op, i), vector(dy, i * channels, channels)
        share_of_one = like(dx[0, 0], 1.0 / max(places, 1))
        for t in range(places):
            place = vector(dx, i * size + t * channels, channels)
            for c in range(channels):
                place[c] = gradient[c] * share_of_one
        clear(vector(dx, i * size + places * channels, size - places * channels))


@kernel(FORWARD)
def max_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = maximum of the own places. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[CHANNELS], x.shape[1]
    for i in range(lo, hi):
        places, largest = own_places(ctx, op, i), vector(y, i * channels, channels)
        if places == 0:
            clear(largest)
            continue
        copy(vector(x, i * size, channels), largest)
        for t in range(1, places):
            place = vector(x, i * size + t * channels, channels)
            for c in range(channels):
                value, old = place[c], largest[c]
                largest[c] = value if (value > old) | (value != value) else old


@kernel(BACKWARD)
def max_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy at the first maximum, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size, zero = op[CHANNELS], dx.shape[1], like(dx[0, 0], 0)
    left_over = vector(workspace(ctx, CTX_SIZE, dx), 0, channels)
    for i in range(lo, hi):
        places, largest = own_places(ctx, op, i), vector(y, i * channels, channels)
        copy(vector(dy, i * channels, channels), left_over)
        for t in range(places):
            value = vector(x, i * size + t * channels, channels)
            place = vector(dx, i * size + t * channels, channels)
            for c in range(channels):
                hit = (value[c] == largest[c]) | (largest[c] != largest[c])
                place[c] = left_over[c] if hit else zero
                left_over[c] = zero if hit else left_over[c]
        clear(vector(dx, i * size + places * channels, size - places * channels))


@kernel(FORWARD)
def last_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y = the last of the own places. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[CHANNELS], x.shape[1]
    for i in range(lo, hi):
        places, target = own_places(ctx, op, i), vector(y, i * channels, channels)
        if places == 0:
            clear(target)
        else:
            copy(vector(x, i * size + (places - 1) * channels, channels), target)


@kernel(BACKWARD)
def last_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy at the last of the own places, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[CHANNELS], dx.shape[1]
    for i in range(lo, hi):
        places = own_places(ctx, op, i)
        clear(vector(dx, i * size, size))
        if places > 0:
            target = vector(dx, i * size + (places - 1) * channels, channels)
            copy(vector(dy, i * channels, channels), target)


class _GlobalPool(Layer):
    """Base of layers that reduce all places to one vector."""

    lengths = "heeds"
    _kernels: ClassVar[Kernels]
    _keeps: ClassVar[str] = ""

    def output_shape(self, shape: Shape) -> Shape:
        """Return (channels,)."""
        return shape[-1:]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        geometry = (int(np.prod(shape[:-1])), shape[-1], *geometry_of(builder.clock(slot)))
        op = Instruction(slot, out, self._kernels, geometry=geometry, keeps=self._keeps)
        op.scratch = shape[-1]
        return builder.append(op)


class GlobalMaxPool(_GlobalPool):
    """Layer that takes the maximum over all places of a sample, channel by channel.

    The gradient goes to the first maximum. Padding of sequences of unequal length is ignored.
    """

    _kernels, _keeps = Kernels(max_forward, max_backward), "xy"


class GlobalAveragePool(_GlobalPool):
    """Layer that takes the mean over all places of a sample, channel by channel (Lin et al., 2014).

    Padding of sequences of unequal length is ignored.
    """

    _kernels = Kernels(mean_forward, mean_backward)


class LastStep(_GlobalPool):
    """Layer that takes the last step of a sequence.

    Behind a recurrent layer with ``return_sequences=True``, its output is that of the layer with
    ``return_sequences=False``. The last step is the last one that is not padding; a sequence
    without steps becomes zeros.
    """

    _kernels = Kernels(last_forward, last_backward)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (channels,)."""
        self._check_axes(shape, 1)
        return shape[-1:]

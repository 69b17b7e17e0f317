"""Pooling over all places of a sample: of the steps of a sequence, those that are its own.

Each channel is by itself; kernels run along the channels of a place. A sequence without steps
becomes zeros. NaN counts as larger than any number.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, Builder, Layer, Shape, owned_rows
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.shape import check_axes
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry: places, channels, and the clock.
PLACES, CHANNELS, OFFSET, STRIDE = range(4)


@njit(**INLINED_OPTIONS)
def own_places(ctx, op, i):
    """How many of the places of row i are its own."""
    return own_steps(ctx, op[OFFSET], op[STRIDE], i, op[PLACES])


@kernel(FORWARD)
def mean_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = mean of the own places. Owners: rows of the batch."""
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
    """dx = dy / own places; 0 in the padding. Owners: rows of the batch."""
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
    """y = the largest of the own places. Owners: rows of the batch."""
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
    """dx = dy at the first place that is the largest, else 0. Owners: rows of the batch."""
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
    """y = the last of the own places. Owners: rows of the batch."""
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
    """dx = dy at the last of the own places, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[CHANNELS], dx.shape[1]
    for i in range(lo, hi):
        places = own_places(ctx, op, i)
        clear(vector(dx, i * size, size))
        if places > 0:
            target = vector(dx, i * size + (places - 1) * channels, channels)
            copy(vector(dy, i * channels, channels), target)


class _GlobalPool(Layer):
    """What pools over all places share: one vector is left of them."""

    lengths = "heeds"
    _forward: ClassVar[Kernel]
    _backward: ClassVar[Kernel]
    _keeps: ClassVar[str] = ""

    def output_shape(self, shape: Shape) -> Shape:
        """One vector: the channels."""
        return shape[-1:]

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        places, clock = int(np.prod(shape[:-1])), geometry_of(builder.clock(slot))
        builder.instruction(
            slot,
            out,
            forward=self._forward,
            backward=self._backward,
            scratch=shape[-1],
            geometry=(places, shape[-1], *clock),
            keeps=self._keeps,
        )
        return out


class GlobalMaxPool(_GlobalPool):
    """Keep the largest of all places of a sample, channel by channel.

    Its gradient goes to one place: the first of equal ones. Of sequences of unequal length it sees
    each one's own steps.
    """

    _forward, _backward, _keeps = max_forward, max_backward, "xy"


class GlobalAveragePool(_GlobalPool):
    """Take the mean over all places of a sample, channel by channel (Lin et al., 2014).

    Of sequences of unequal length it is the mean of each one's own steps.
    """

    _forward, _backward = mean_forward, mean_backward


class LastStep(_GlobalPool):
    """Keep the last step of a sequence, and no other.

    Behind a recurrent layer with ``return_sequences=True`` it leaves what the layer would have left
    without. Of sequences of unequal length it is each one's own last step; of one without steps,
    zeros.
    """

    _forward, _backward = last_forward, last_backward

    def output_shape(self, shape: Shape) -> Shape:
        """One vector: the channels."""
        check_axes(self, shape, 1)
        return shape[-1:]

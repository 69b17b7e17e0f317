"""Sequences of unequal length: how kernels know where each one ends.

All rows of a slot of sequences have room for the longest one. Where the data's sequences are not
equally long, the number of steps of each row of the batch stands in `ctx`, and a slot has a
*clock*: how many steps of its own that makes. (A convolution that moves by two has half as many.)
An instruction has the clock in its geometry.

What lies behind a row's end is padding, and a row's result never depends on how much there is:

- Forward, padding is finite and otherwise undefined. What looks from one step at others reads none
  of it, or has it made zero before (`trim`).
- Backward, the gradient of padding is zero: who writes dx of such a slot writes zeros there, or
  what follows from a dy of zeros. So what sums over all steps of a batch need not know of lengths.
- Behind the `longest` row of a batch nothing need be written or read, so that short batches are
  quick; who takes a whole slot all the same gets what is finite, and its gradient's zeros.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    LENGTHS,
    LONGEST,
    Builder,
    Clock,
    owned_rows,
)


@njit(**INLINED_OPTIONS)
def own_steps(ctx, offset, stride, row, steps):
    """Steps of a row of the batch in a slot of this clock, which has room for `steps`."""
    if stride == 0 or ctx[LENGTHS] == 0:
        return steps
    return min(max(ctx[ctx[LENGTHS] + row] + offset, 0) // stride, steps)


@njit(**INLINED_OPTIONS)
def longest(ctx, offset, stride, steps):
    """Steps of the batch's longest row in a slot of this clock, which has room for `steps`."""
    if stride == 0 or ctx[LENGTHS] == 0:
        return steps
    return min(max(ctx[LONGEST] + offset, 0) // stride, steps)


def geometry_of(clock: Clock | None) -> tuple[int, int]:
    """A clock as two numbers of a geometry, offset and stride; none is (0, 0)."""
    return (0, 0) if clock is None else clock


def after_window(clock: Clock | None, reach: int, stride: int) -> Clock | None:
    """The clock behind a window that reaches over so many steps, none of them padding.

    Of n steps it makes floor((n - reach) / stride) + 1. Floors of floors are one floor.
    """
    if clock is None:
        return None
    return Clock(clock.offset + (stride - reach) * clock.stride, clock.stride * stride)


# --- trimming: geometry is steps, channels, and the clock ----------------------------------------


@njit(**INLINED_OPTIONS)
def _trim(ctx, op, part, parts, x, y):
    """y = x, and zero in the padding; x and y may be the same. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    steps, channels = op[0], op[1]
    for i in range(lo, hi):
        kept = own_steps(ctx, op[2], op[3], i, steps) * channels
        source, target = vector(x, i * x.shape[1], kept), vector(y, i * x.shape[1], kept)
        for j in range(kept):
            target[j] = source[j]
        padding = vector(y, i * x.shape[1] + kept, x.shape[1] - kept)
        for j in range(padding.size):
            padding[j] = 0


@kernel(FORWARD)
def trim_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x, and zero in the padding. Owners: rows of the batch."""
    _trim(ctx, op, part, parts, x, y)


@kernel(BACKWARD)
def trim_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy, and zero in the padding. Owners: rows of the batch."""
    _trim(ctx, op, part, parts, dy, dx)


def trim(builder: Builder, slot: int) -> int:
    """Append an instruction that makes the padding of sequences zero, where there is any."""
    clock = builder.clock(slot)
    if clock is None:
        return slot
    shape = builder.shape(slot)
    out = builder.slot(shape, clock)
    builder.instruction(
        slot,
        out,
        forward=trim_forward,
        backward=trim_backward,
        in_place=(trim_forward, trim_backward),
        geometry=(*shape, *clock),
        keeps="",
    )
    return out

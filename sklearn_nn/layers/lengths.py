"""Sequences of unequal length: how kernels find the end of each one.

All rows of a slot of sequences have room for the longest one. `ctx` holds the number of steps of
each row of the batch, and an instruction's geometry the *clock* of a slot, which converts it to a
number of steps in this slot: a convolution with a stride of two has half as many.

Elements after the end of a row are padding. A row's result does not depend on the amount of
padding:

- Forward, padding is finite and otherwise undefined. Kernels that combine steps do not read it, or
  it is set to zero before (`trim`).
- Backward, the gradient of padding is zero: kernels write zeros there, or what results from a dy of
  zeros. So sums over all steps of a batch need not know the lengths.
- Behind the `longest` row of a batch nothing need be written or read; a kernel that reads a whole
  slot finds finite values, and zeros in the gradient.
"""

from __future__ import annotations

from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import LENGTHS, LONGEST, owned_rows
from sklearn_nn.layers.layer import Builder, Clock, Instruction, Kernels
from sklearn_nn.layers.vectors import clear, copy, symmetric_kernels


@njit(**INLINED_OPTIONS)
def own_steps(ctx, offset, stride, row, steps):
    """Return the number of steps of a row in a slot of this clock with room for `steps`."""
    if stride == 0 or ctx[LENGTHS] == 0:
        return steps
    return min(max(ctx[ctx[LENGTHS] + row] + offset, 0) // stride, steps)


@njit(**INLINED_OPTIONS)
def longest(ctx, offset, stride, steps):
    """Return the number of steps of the longest row in a slot with room for `steps`."""
    if stride == 0 or ctx[LENGTHS] == 0:
        return steps
    return min(max(ctx[LONGEST] + offset, 0) // stride, steps)


def geometry_of(clock: Clock | None) -> tuple[int, int]:
    """Return a clock as two numbers of a geometry, offset and stride; None is (0, 0)."""
    return (0, 0) if clock is None else clock


def after_window(clock: Clock | None, reach: int, stride: int) -> Clock | None:
    """Return the clock after a window over `reach` steps: n become (n - reach) // stride + 1."""
    if clock is None:
        return None
    return Clock(clock.offset + (stride - reach) * clock.stride, clock.stride * stride)


# --- trimming: geometry is steps, channels, and the clock ----------------------------------------


@njit(**INLINED_OPTIONS)
def _trim(ctx, op, part, parts, x, y):
    """Set y = x, and zero in the padding, in the rows that a part owns; x may be y."""
    lo, hi = owned_rows(x, part, parts)
    steps, channels = op[0], op[1]
    for i in range(lo, hi):
        kept = own_steps(ctx, op[2], op[3], i, steps) * channels
        copy(vector(x, i * x.shape[1], kept), vector(y, i * x.shape[1], kept))
        clear(vector(y, i * x.shape[1] + kept, x.shape[1] - kept))


_TRIM = symmetric_kernels("lengths.trim", _trim)


def trim(builder: Builder, slot: int) -> int:
    """Append an instruction that sets the padding of sequences to zero, if there can be any."""
    clock = builder.clock(slot)
    if clock is None:
        return slot
    shape = builder.shape(slot)
    out, geometry = builder.slot(shape, clock), (*shape, *clock)
    op = Instruction(slot, out, Kernels(*_TRIM), geometry=geometry, keeps="", in_place=_TRIM)
    return builder.append(op)

"""Kernels of what a recurrent layer hands on: h of every step, or of each row's last one."""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.lengths import longest, own_steps
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry: units, the most steps, and the clock; the width of a stretch of x, the
# tape, where in it h begins, and whether all steps are handed on, and turned round; the columns of
# a step of y, and the first of them that are its own.
_UNITS, _STEPS, _OFFSET, _STRIDE, _WIDTH, _HOME, _ALL, _TURNED, _COLUMNS, _COLUMN = range(10)


@njit(**INLINED_OPTIONS)
def _place(op, t, own):
    """Where of a row of y h of the recurrence's step t goes, of so many."""
    step = own - t if op[_TURNED] else t - 1
    return step * op[_COLUMNS] + op[_COLUMN]


@kernel(FORWARD)
def output_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = h of a row's last step, or of all and 0 in the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    units, row = op[_UNITS], y.shape[1]
    for i in range(lo, hi):
        own = own_steps(ctx, op[_OFFSET], op[_STRIDE], i, op[_STEPS])
        home = i * x.shape[1] + op[_HOME]
        if not op[_ALL]:
            copy(vector(x, home + own * op[_WIDTH], units), vector(y, i * row + op[_COLUMN], units))
            continue
        for t in range(1, own + 1):
            h = vector(x, home + t * op[_WIDTH], units)
            copy(h, vector(y, i * row + _place(op, t, own), units))
        for t in range(own, op[_STEPS]):
            clear(vector(y, i * row + t * op[_COLUMNS] + op[_COLUMN], units))


@kernel(BACKWARD)
def output_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx of h = dy; 0 in the padding, if all steps are handed on. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    units, most = op[_UNITS], longest(ctx, op[_OFFSET], op[_STRIDE], op[_STEPS])
    for i in range(lo, hi):
        own = own_steps(ctx, op[_OFFSET], op[_STRIDE], i, op[_STEPS])
        row, home = i * dy.shape[1], i * dx.shape[1] + op[_HOME]
        if not op[_ALL]:
            copy(vector(dy, row + op[_COLUMN], units), vector(dx, home + own * op[_WIDTH], units))
            continue
        for t in range(1, own + 1):
            dh = vector(dx, home + t * op[_WIDTH], units)
            copy(vector(dy, row + _place(op, t, own), units), dh)
        for t in range(own + 1, most + 1):
            clear(vector(dx, home + t * op[_WIDTH], units))

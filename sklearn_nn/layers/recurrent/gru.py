"""Kernels of the gated recurrent unit: see recurrence.py for how its steps lie."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir
from numba import njit

from sklearn_nn.jit.functions import sigmoid_of
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.lane import Lane
from sklearn_nn.jit.lanes import Load, Store
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, is_stopped, owned_rows
from sklearn_nn.layers.recurrent.activation import CellActivation, clear_ended, make_cells
from sklearn_nn.layers.recurrent.projection import clear_padding, project, project_back
from sklearn_nn.layers.recurrent.recurrence import (
    FEATURES,
    SIZE,
    UNITS,
    WIDTH,
    add_recurrent,
    begin,
    carry,
    last_step,
    mask,
    open_gradient,
    remember,
    rows_together,
)
from sklearn_nn.layers.recurrent.weights import (
    bias_gradient,
    kernel_gradient,
    owned_columns,
    recurrent_gradient,
)
from sklearn_nn.layers.vectors import clear

# Places of a stretch, in units. Biases are those of x W, then those of h R, in the same order.
_Z, _R, _HH, _Q, _H = range(5)


def _forward(
    activation: CellActivation,
    builder: ir.IRBuilder,
    loads: Sequence[Load],
    stores: Sequence[Store],
) -> None:
    """Operands: stretch, that of the step before, biases."""
    z, r, saw, q = (Lane(builder, loads[0](k, 0)) for k in range(4))
    bias = [Lane(builder, loads[2](k, 0)) for k in range(6)]
    z, r = sigmoid_of(z + (bias[0] + bias[3])), sigmoid_of(r + (bias[1] + bias[4]))
    q = q + bias[5]
    hh = activation.value(r.fma(q, saw + bias[2]))
    h = z.fma(Lane(builder, loads[1](_H, 0)) - hh, hh)
    for place, value in enumerate((z, r, hh, q, h)):
        stores[0](value.value, place, 0)


def _backward(
    activation: CellActivation,
    builder: ir.IRBuilder,
    loads: Sequence[Load],
    stores: Sequence[Store],
) -> None:
    """Operands: stretch, that of the step before, and the gradients of both."""
    z, r, hh, q = (Lane(builder, loads[0](k, 0)) for k in range(4))
    before = Lane(builder, loads[1](_H, 0))
    dh, d_before = (Lane(builder, load(_H, 0)) for load in loads[2:])
    dz = dh * (before - hh) * (z * (1 - z))
    dhh = activation.back(dh * (1 - z), hh)
    dr = dhh * q * (r * (1 - r))
    for place, value in enumerate((dz, dr, dhh, dhh * r)):
        stores[0](value.value, place, 0)
    stores[3](dh.fma(z, d_before).value, _H, 0)


_cell, _cell_backward = make_cells("gru", 3, _forward), make_cells("gru_backward", 4, _backward)


@njit(**INLINED_OPTIONS)
def _clear(y, at, size, lo, hi):
    """y = 0 in `size` places of each row from `at` on."""
    for i in range(lo, hi):
        clear(vector(y, i * y.shape[1] + at, size))


@kernel(FORWARD)
def gru_forward(ctx, op, part, parts, theta, state, work, x, y):
    """h = z h + (1 - z) hh, step by step. Owners: rows of the batch."""
    units, row = op[UNITS], y.shape[1]
    lo, hi = owned_rows(y, part, parts)
    biases = vector(theta, (op[FEATURES] + units) * op[SIZE], 2 * op[SIZE])
    begin(ctx, op, y, lo, hi)
    block = rows_together(op, hi - lo)
    for first in range(lo, hi, block):
        last = min(first + block, hi)
        for t in range(1, last_step(ctx, op) + 1):
            if is_stopped(ctx):
                return
            at = first * row + t * op[WIDTH]
            project(ctx, op, theta, x, y, t, first, last)
            _clear(y, t * op[WIDTH] + _Q * units, units, first, last)
            add_recurrent(ctx, op, theta, y, t, first, last, 0, 0, 2 * units)
            add_recurrent(ctx, op, theta, y, t, first, last, 2 * units, _Q * units, units)
            stretch, before = vector(y, at, 1), vector(y, at - op[WIDTH], 1)
            _cell(
                op, last - first, units,
                ((stretch, row, units, 0), (before, row, units, 0), (biases, 0, units, 0)),
            )  # fmt: skip
            clear_ended(ctx, op, y, t, first, last)
            mask(ctx, op, y, t, first, last)
    remember(ctx, op, y, lo, hi)


@kernel(BACKWARD)
def gru_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Gradient of what the gates saw, from the last step on. Owners: rows of the batch."""
    units, row = op[UNITS], y.shape[1]
    lo, hi = owned_rows(y, part, parts)
    clear_padding(ctx, op, dx, lo, hi)
    block = rows_together(op, hi - lo)
    for first in range(lo, hi, block):
        last = min(first + block, hi)
        _clear(dy, _H * units, units, first, last)  # what comes before is added to, and not read
        open_gradient(ctx, op, dy, last_step(ctx, op), first, last)
        for t in range(last_step(ctx, op), 0, -1):
            if is_stopped(ctx):
                return
            open_gradient(ctx, op, dy, t - 1, first, last)
            at = first * row + t * op[WIDTH]
            _cell_backward(
                op, last - first, units,
                (
                    (vector(y, at, 1), row, units, 0),
                    (vector(y, at - op[WIDTH], 1), row, units, 0),
                    (vector(dy, at, 1), row, units, 0),
                    (vector(dy, at - op[WIDTH], 1), row, units, 0),
                ),
            )  # fmt: skip
            carry(ctx, op, work, y, dy, t, first, last, 0, 0, 2 * units, False)
            carry(ctx, op, work, y, dy, t, first, last, 2 * units, _Q * units, units, True)
            project_back(ctx, op, work, y, dx, t, first, last)


@kernel(BACKWARD)
def gru_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW, dR and db, of x W and of h R. Owners: columns."""
    units, size = op[UNITS], op[SIZE]
    column, end = owned_columns(size, part, parts)
    kernel_gradient(ctx, op, x, y, grad, column, end - column)
    # What h R gives hh lies by itself, behind the others.
    middle, apart = min(end, 2 * units), max(column, 2 * units)
    recurrent_gradient(ctx, op, y, y, grad, column, middle - column, 0)
    recurrent_gradient(ctx, op, y, y, grad, apart, end - apart, units)
    bias_gradient(ctx, op, y, grad, 0, column, end - column, 0)
    bias_gradient(ctx, op, y, grad, 1, apart, end - apart, units)
    start = (op[FEATURES] + units) * size
    of_x, of_h = vector(grad, start, size), vector(grad, start + size, size)
    for j in range(column, middle):
        of_h[j] = of_x[j]  # both are added to the same gate

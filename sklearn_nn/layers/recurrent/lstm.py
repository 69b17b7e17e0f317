"""Kernels of long short-term memory: see recurrence.py for how its steps lie."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from sklearn_nn.jit.functions import sigmoid_of
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
from sklearn_nn.layers.recurrent.weights import all_gradients
from sklearn_nn.layers.vectors import clear

# Places of a stretch, in units.
_I, _F, _G, _O, _C, _H = range(6)


def _forward(
    activation: CellActivation,
    builder: ir.IRBuilder,
    loads: Sequence[Load],
    stores: Sequence[Store],
) -> None:
    """Operands: stretch, that of the step before, bias."""
    saw = [Lane(builder, loads[0](k, 0)) + Lane(builder, loads[2](k, 0)) for k in range(4)]
    i, f, o = (sigmoid_of(saw[k]) for k in (_I, _F, _O))
    g = activation.value(saw[_G])
    c = f.fma(Lane(builder, loads[1](_C, 0)), i * g)
    for place, value in enumerate((i, f, g, o, c, o * activation.value(c))):
        stores[0](value.value, place, 0)


def _backward(
    activation: CellActivation,
    builder: ir.IRBuilder,
    loads: Sequence[Load],
    stores: Sequence[Store],
) -> None:
    """Operands: stretch, that of the step before, gradient of h, and of c."""
    i, f, g, o, c, h = (Lane(builder, loads[0](k, 0)) for k in range(6))
    c_before = Lane(builder, loads[1](_C, 0))
    dh, dc = (Lane(builder, load(0, 0)) for load in loads[2:])
    dc = dh.fma(activation.back_of_product(o, activation.value(c), h), dc)
    di, df = dc * g * (i * (1 - i)), dc * c_before * (f * (1 - f))
    dg, do = activation.back(dc * i, g), dh * h * (1 - o)
    for place, value in enumerate((di, df, dg, do)):
        stores[0](value.value, place, 0)
    stores[3]((dc * f).value, 0, 0)


_cell, _cell_backward = make_cells("lstm", 3, _forward), make_cells("lstm_backward", 4, _backward)


@kernel(FORWARD)
def lstm_forward(ctx, op, part, parts, theta, state, work, x, y):
    """c = f c + i g and h = o a(c), step by step. Owners: rows of the batch."""
    units, row = op[UNITS], y.shape[1]
    lo, hi = owned_rows(y, part, parts)
    bias = vector(theta, (op[FEATURES] + units) * op[SIZE], op[SIZE])
    begin(ctx, op, y, lo, hi)
    block = rows_together(op, hi - lo)
    for first in range(lo, hi, block):
        last = min(first + block, hi)
        for t in range(1, last_step(ctx, op) + 1):
            if is_stopped(ctx):
                return
            project(ctx, op, theta, x, y, t, first, last)
            add_recurrent(ctx, op, theta, y, t, first, last, 0, 0, op[SIZE])
            at = first * row + t * op[WIDTH]
            stretch, before = vector(y, at, 1), vector(y, at - op[WIDTH], 1)
            _cell(
                op, last - first, units,
                ((stretch, row, units, 0), (before, row, units, 0), (bias, 0, units, 0)),
            )  # fmt: skip
            clear_ended(ctx, op, y, t, first, last)
            mask(ctx, op, y, t, first, last)
    remember(ctx, op, y, lo, hi)


@kernel(BACKWARD)
def lstm_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Gradient of what the gates saw, from the last step on. Owners: rows of the batch."""
    units, row = op[UNITS], y.shape[1]
    lo, hi = owned_rows(y, part, parts)
    clear_padding(ctx, op, dx, lo, hi)
    block = rows_together(op, hi - lo)
    for first in range(lo, hi, block):
        last = min(first + block, hi)
        for i in range(first, last):
            clear(vector(dy, i * row + _C * units, units))
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
                    (vector(dy, at + _H * units, 1), row, 0, 0),
                    (vector(dy, first * row + _C * units, 1), row, 0, 0),
                ),
            )  # fmt: skip
            carry(ctx, op, work, y, dy, t, first, last, 0, 0, op[SIZE], True)
            project_back(ctx, op, work, y, dx, t, first, last)


@kernel(BACKWARD)
def lstm_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW, dR and db. Owners: columns."""
    all_gradients(ctx, op, part, parts, x, y, y, grad)

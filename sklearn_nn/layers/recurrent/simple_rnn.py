"""Kernels of the recurrence without gates: see recurrence.py for how its steps lie."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

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


def _forward(
    activation: CellActivation,
    builder: ir.IRBuilder,
    loads: Sequence[Load],
    stores: Sequence[Store],
) -> None:
    """Operands: stretch, bias."""
    saw = Lane(builder, loads[0](0, 0)) + Lane(builder, loads[1](0, 0))
    stores[0](activation.value(saw).value, 0, 0)


def _backward(
    activation: CellActivation,
    builder: ir.IRBuilder,
    loads: Sequence[Load],
    stores: Sequence[Store],
) -> None:
    """Operands: stretch, its gradient."""
    h, dh = (Lane(builder, load(0, 0)) for load in loads)
    stores[1](activation.back(dh, h).value, 0, 0)


_cell = make_cells("simple_cell", 2, _forward)
_cell_backward = make_cells("simple_cell_backward", 2, _backward)


@kernel(FORWARD)
def simple_forward(ctx, op, part, parts, theta, state, work, x, y):
    """h = f(x W + h R + b), step by step. Owners: rows of the batch."""
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
            stretch = vector(y, first * row + t * op[WIDTH], 1)
            _cell(op, last - first, units, ((stretch, row, 0, 0), (bias, 0, 0, 0)))
            clear_ended(ctx, op, y, t, first, last)
            mask(ctx, op, y, t, first, last)
    remember(ctx, op, y, lo, hi)


@kernel(BACKWARD)
def simple_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dh f'(x W + h R + b), and on from there to the step before. Owners: rows of the batch."""
    row = y.shape[1]
    lo, hi = owned_rows(y, part, parts)
    clear_padding(ctx, op, dx, lo, hi)
    block = rows_together(op, hi - lo)
    for first in range(lo, hi, block):
        last = min(first + block, hi)
        open_gradient(ctx, op, dy, last_step(ctx, op), first, last)
        for t in range(last_step(ctx, op), 0, -1):
            if is_stopped(ctx):
                return
            open_gradient(ctx, op, dy, t - 1, first, last)
            at = first * row + t * op[WIDTH]
            stretch, gradient = vector(y, at, 1), vector(dy, at, 1)
            _cell_backward(
                op, last - first, op[UNITS], ((stretch, row, 0, 0), (gradient, row, 0, 0))
            )
            carry(ctx, op, work, dy, dy, t, first, last, 0, 0, op[SIZE], True)
            project_back(ctx, op, work, dy, dx, t, first, last)


@kernel(BACKWARD)
def simple_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW, dR and db. Owners: columns."""
    all_gradients(ctx, op, part, parts, x, y, dy, grad)

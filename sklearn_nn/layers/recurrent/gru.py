"""The recurrence of the gated recurrent unit: see tape.py for the layout of its steps."""

from __future__ import annotations

from llvmlite.ir import IRBuilder
from numba import njit

from sklearn_nn.jit.functions import sigmoid_of
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.lane import Lane
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD
from sklearn_nn.layers.recurrent.cells import (
    CellActivation,
    Loads,
    Stores,
    make_cells,
    make_recurrence,
)
from sklearn_nn.layers.recurrent.products import (
    add_recurrent,
    bias_gradient,
    carry,
    kernel_gradient,
    owned_columns,
    recurrent_gradient,
)
from sklearn_nn.layers.recurrent.tape import FEATURES, SIZE, UNITS, WIDTH, clear_place
from sklearn_nn.layers.vectors import copy

# Places of a stretch, in units. Biases are those of x W, then those of h R, in the same order.
_Z, _R, _HH, _Q, _H = range(5)


def _forward(activation: CellActivation, builder: IRBuilder, loads: Loads, stores: Stores) -> None:
    """Emit h = z h + (1 - z) hh. Operands: stretch, that of the previous step, biases."""
    z, r, saw, q = (Lane(builder, loads[0](k, 0)) for k in range(4))
    bias = [Lane(builder, loads[2](k, 0)) for k in range(6)]
    z, r = sigmoid_of(z + (bias[0] + bias[3])), sigmoid_of(r + (bias[1] + bias[4]))
    q = q + bias[5]
    hh = activation.value(r.fma(q, saw + bias[2]))
    h = z.fma(Lane(builder, loads[1](_H, 0)) - hh, hh)
    for place, value in enumerate((z, r, hh, q, h)):
        stores[0](value.value, place, 0)


def _backward(activation: CellActivation, builder: IRBuilder, loads: Loads, stores: Stores) -> None:
    """Emit the gates' gradients. Operands: stretch, the previous one, and the gradients of both."""
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
def _step(ctx, op, theta, y, t, rows):
    """Compute step t of the tape y."""
    (lo, hi), units, row = rows, op[UNITS], y.shape[1]
    clear_place(op, y, t * op[WIDTH] + _Q * units, rows)
    add_recurrent(ctx, op, theta, y, t, rows, (0, 0, 2 * units))
    add_recurrent(ctx, op, theta, y, t, rows, (2 * units, _Q * units, units))
    biases = vector(theta, (op[FEATURES] + units) * op[SIZE], 2 * op[SIZE])
    at = lo * row + t * op[WIDTH]
    stretch, before = vector(y, at, 1), vector(y, at - op[WIDTH], 1)
    arrays = (stretch, row, units, 0), (before, row, units, 0), (biases, 0, units, 0)
    _cell(op, hi - lo, units, arrays)


@njit(**INLINED_OPTIONS)
def _step_back(ctx, op, work, y, dy, t, rows):
    """Compute the gates' gradients of step t in y, and add to that of the previous h."""
    (lo, hi), units, row = rows, op[UNITS], y.shape[1]
    at = lo * row + t * op[WIDTH]
    arrays = (
        (vector(y, at, 1), row, units, 0),
        (vector(y, at - op[WIDTH], 1), row, units, 0),
        (vector(dy, at, 1), row, units, 0),
        (vector(dy, at - op[WIDTH], 1), row, units, 0),
    )
    _cell_backward(op, hi - lo, units, arrays)
    carry(ctx, op, work, y, dy, t, rows, (0, 0, 2 * units))
    carry(ctx, op, work, y, dy, t, rows, (2 * units, _Q * units, units))


@kernel(BACKWARD)
def gru_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW, dR and db, of x W and of h R. Owners: columns."""
    units, size = op[UNITS], op[SIZE]
    column, end = owned_columns(size, part, parts)
    kernel_gradient(ctx, op, x, y, grad, column, end - column)
    # The gradient of the recurrent part of hh lies behind the others.
    middle, apart = min(end, 2 * units), max(column, 2 * units)
    recurrent_gradient(ctx, op, y, y, grad, column, middle - column, 0)
    recurrent_gradient(ctx, op, y, y, grad, apart, end - apart, units)
    bias_gradient(ctx, op, y, grad, 0, column, end - column, 0)
    bias_gradient(ctx, op, y, grad, 1, apart, end - apart, units)
    # Both biases are added to the same gate, except in hh.
    start, own = (op[FEATURES] + units) * size + column, max(middle - column, 0)
    copy(vector(grad, start, own), vector(grad, start + size, own))


GRU_CELL = make_recurrence("gru", _step, _step_back, gru_weights, cleared=_H)

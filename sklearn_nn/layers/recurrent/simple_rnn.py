"""The recurrence without gates: see tape.py for the layout of its steps."""

from __future__ import annotations

from llvmlite.ir import IRBuilder
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.lane import Lane
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.recurrent.cells import (
    CellActivation,
    Loads,
    Stores,
    make_cells,
    make_recurrence,
)
from sklearn_nn.layers.recurrent.products import add_recurrent, carry
from sklearn_nn.layers.recurrent.tape import FEATURES, SIZE, UNITS, WIDTH


def _forward(activation: CellActivation, builder: IRBuilder, loads: Loads, stores: Stores) -> None:
    """Emit h = f(x W + h R + b). Operands: stretch, bias."""
    saw = Lane(builder, loads[0](0, 0)) + Lane(builder, loads[1](0, 0))
    stores[0](activation.value(saw).value, 0, 0)


def _backward(activation: CellActivation, builder: IRBuilder, loads: Loads, stores: Stores) -> None:
    """Emit dh f'(x W + h R + b). Operands: stretch, its gradient."""
    h, dh = (Lane(builder, load(0, 0)) for load in loads)
    stores[1](activation.back(dh, h).value, 0, 0)


_cell = make_cells("simple_cell", 2, _forward)
_cell_backward = make_cells("simple_cell_backward", 2, _backward)


@njit(**INLINED_OPTIONS)
def _step(ctx, op, theta, y, t, rows):
    """Compute step t of the tape y."""
    (lo, hi), units, row = rows, op[UNITS], y.shape[1]
    add_recurrent(ctx, op, theta, y, t, rows, (0, 0, op[SIZE]))
    bias = vector(theta, (op[FEATURES] + units) * op[SIZE], op[SIZE])
    stretch = vector(y, lo * row + t * op[WIDTH], 1)
    _cell(op, hi - lo, units, ((stretch, row, 0, 0), (bias, 0, 0, 0)))


@njit(**INLINED_OPTIONS)
def _step_back(ctx, op, work, y, dy, t, rows):
    """Compute the gradient of step t in dy, and add to that of the previous h."""
    (lo, hi), row = rows, y.shape[1]
    at = lo * row + t * op[WIDTH]
    stretch, gradient = vector(y, at, 1), vector(dy, at, 1)
    _cell_backward(op, hi - lo, op[UNITS], ((stretch, row, 0, 0), (gradient, row, 0, 0)))
    carry(ctx, op, work, dy, dy, t, rows, (0, 0, op[SIZE]))


SIMPLE_RNN = make_recurrence("simple_rnn", _step, _step_back, gated=False)

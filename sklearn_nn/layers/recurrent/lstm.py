"""The recurrence of long short-term memory: see tape.py for the layout of its steps."""

from __future__ import annotations

from llvmlite.ir import IRBuilder
from numba import njit

from sklearn_nn.jit.functions import sigmoid_of
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

# Places of a stretch, in units.
_I, _F, _G, _O, _C, _H = range(6)


def _forward(activation: CellActivation, builder: IRBuilder, loads: Loads, stores: Stores) -> None:
    """Emit c = f c + i g and h = o a(c). Operands: stretch, that of the previous step, bias."""
    saw = [Lane(builder, loads[0](k, 0)) + Lane(builder, loads[2](k, 0)) for k in range(4)]
    i, f, o = (sigmoid_of(saw[k]) for k in (_I, _F, _O))
    g = activation.value(saw[_G])
    c = f.fma(Lane(builder, loads[1](_C, 0)), i * g)
    for place, value in enumerate((i, f, g, o, c, o * activation.value(c))):
        stores[0](value.value, place, 0)


def _backward(activation: CellActivation, builder: IRBuilder, loads: Loads, stores: Stores) -> None:
    """Emit the gates' gradients. Operands: stretch, the previous one, gradients of h and of c."""
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


@njit(**INLINED_OPTIONS)
def _step(ctx, op, theta, y, t, rows):
    """Compute step t of the tape y."""
    (lo, hi), units, row = rows, op[UNITS], y.shape[1]
    add_recurrent(ctx, op, theta, y, t, rows, (0, 0, op[SIZE]))
    bias = vector(theta, (op[FEATURES] + units) * op[SIZE], op[SIZE])
    at = lo * row + t * op[WIDTH]
    stretch, before = vector(y, at, 1), vector(y, at - op[WIDTH], 1)
    arrays = (stretch, row, units, 0), (before, row, units, 0), (bias, 0, units, 0)
    _cell(op, hi - lo, units, arrays)


@njit(**INLINED_OPTIONS)
def _step_back(ctx, op, work, y, dy, t, rows):
    """Compute the gates' gradients of step t in y, and add to that of the previous h."""
    (lo, hi), units, row = rows, op[UNITS], y.shape[1]
    at = lo * row + t * op[WIDTH]
    arrays = (
        (vector(y, at, 1), row, units, 0),
        (vector(y, at - op[WIDTH], 1), row, units, 0),
        (vector(dy, at + _H * units, 1), row, 0, 0),
        (vector(dy, lo * row + _C * units, 1), row, 0, 0),
    )
    _cell_backward(op, hi - lo, units, arrays)
    carry(ctx, op, work, y, dy, t, rows, (0, 0, op[SIZE]))


LSTM_CELL = make_recurrence("lstm", _step, _step_back, cleared=_C)

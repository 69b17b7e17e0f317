"""The cells of SimpleRNN, LSTM and GRU, their activations, and the loop over the steps.

A step is a loop over vectors (see jit/lanes.py), one for each activation f, which is vector code,
unlike those in activation.py. Backward knows f(x) and not x, so f' must be a function of f(x).
The layout of the steps is described in tape.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite.ir import IRBuilder

from sklearn_nn.jit import njit
from sklearn_nn.jit.emit import Lane
from sklearn_nn.jit.functions import sigmoid_of, tanh_of
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import OTHER_NAMES
from sklearn_nn.layers.base import BACKWARD, FORWARD, is_stopped, owned_rows
from sklearn_nn.layers.layer import Kernels
from sklearn_nn.layers.recurrent import products, tape
from sklearn_nn.layers.recurrent.tape import ACTIVATION, FEATURES, HOME, SIZE, UNITS, WIDTH
from sklearn_nn.layers.vectors import clear, copy


class CellActivation(NamedTuple):
    """An activation f of one number, in a cell.

    `value` is f(x); `back` is d f'(x) from d and y = f(x); `back_of_product` is the same from d, y
    and the product d y, which an LSTM has stored.
    """

    value: Callable[[Lane], Lane]
    back: Callable[[Lane, Lane], Lane]
    back_of_product: Callable[[Lane, Lane, Lane], Lane]


#: By name. An instruction holds the index in this table.
CELL_ACTIVATIONS: dict[str, CellActivation] = {
    "tanh": CellActivation(
        tanh_of, lambda d, y: d * (1 - y * y), lambda d, y, product: d - product * y
    ),
    "logistic": CellActivation(
        sigmoid_of, lambda d, y: d * (y * (1 - y)), lambda _d, y, product: product * (1 - y)
    ),
    "relu": CellActivation(
        lambda x: x.where("<", 0, 0, x),  # in this order NaN stays NaN
        lambda d, y: y.where(">", 0, d, 0),
        lambda d, y, _product: y.where(">", 0, d, 0),
    ),
    "identity": CellActivation(lambda x: x, lambda d, _y: d, lambda d, _y, _product: d),
}
_TANH, _LOGISTIC, _RELU = range(3)
#: Activations from this index on are unbounded.
_UNBOUNDED = _RELU

_KERAS_NAMES = [other for other, name in OTHER_NAMES.items() if name in CELL_ACTIVATIONS]
#: Names that a layer's `activation` may have, those of Keras included.
CELL_ACTIVATION_NAMES = (*CELL_ACTIVATIONS, *_KERAS_NAMES)


#: Functions that load a place, in units, of an operand, and store a lane there.
_Read = Callable[[int, int], Lane]
_Write = Callable[[int, int, Lane], None]
_Emit = Callable[[CellActivation, _Read, _Write], None]
# Operands of a cell: the record of the step, that of the previous step, and the biases; in
# backward, both records and the gradients of both.
_NOW, _BEFORE, _BIASES = range(3)
_D_NOW, _D_BEFORE = 2, 3


def _make_cells(name: str, operands: int, emit: _Emit) -> Any:
    """Make a loop (see `make_lanes`) for each activation; return a function that selects one."""

    def emit_with(
        f: CellActivation, builder: IRBuilder, loads: Sequence[Load], stores: Sequence[Store]
    ) -> None:
        def read(operand: int, place: int) -> Lane:
            return Lane(builder, loads[operand](place, 0))

        def write(operand: int, place: int, lane: Lane) -> None:
            stores[operand](lane.value, place, 0)

        emit(f, read, write)

    tanh, logistic, relu, identity = (
        make_lanes(f"{name}_{key}", operands, functools.partial(emit_with, activation))
        for key, activation in CELL_ACTIVATIONS.items()
    )

    @njit(**INLINED_OPTIONS)
    def cell(op, count, lanes, arrays):
        if op[ACTIVATION] == _TANH:
            tanh(count, lanes, arrays)
        elif op[ACTIVATION] == _LOGISTIC:
            logistic(count, lanes, arrays)
        elif op[ACTIVATION] == _RELU:
            relu(count, lanes, arrays)
        else:
            identity(count, lanes, arrays)

    return cell


@njit(**INLINED_OPTIONS)
def _clear_ended(ctx, op, y, t, rows):
    """Set the record of step t to zero in rows that have ended, if the activation is unbounded.

    There the state would grow to infinity, which times a gradient of zero is NaN.
    """
    if op[ACTIVATION] >= _UNBOUNDED and tape.is_ragged(ctx, op):
        for i in range(rows[0], rows[1]):
            if tape.own(ctx, op, i) < t:
                clear(vector(y, i * y.shape[1] + t * op[WIDTH], op[HOME] + op[UNITS]))


def _make_steps(
    name: str, emit: _Emit, emit_backward: _Emit, *, gated: bool, apart: int, carried: bool
) -> tuple[Any, Any]:
    """Make the functions that compute one step of some rows, forward and backward."""
    cell = _make_cells(name, 3, emit)
    cell_backward = _make_cells(f"{name}_backward", 4, emit_backward)

    @njit(**INLINED_OPTIONS)
    def step(ctx, op, theta, y, t, rows):
        """Compute step t of rows (lo, hi), where x W is in the tape y already."""
        (lo, hi), units, row, at = rows, op[UNITS], y.shape[1], t * op[WIDTH]
        if apart:
            third = 2 * units, apart * units, units
            products.add_recurrent(ctx, op, theta, y, t, rows, (0, 0, 2 * units), 1)
            products.add_recurrent(ctx, op, theta, y, t, rows, third, 0)
        else:
            products.add_recurrent(ctx, op, theta, y, t, rows, (0, 0, op[SIZE]), 1)
        at += lo * row
        now, before = vector(y, at, 1), vector(y, at - op[WIDTH], 1)
        biases = vector(theta, (op[FEATURES] + units) * op[SIZE], 1)
        arrays = (now, row, units, 0), (before, row, units, 0), (biases, 0, units, 0)
        cell(op, hi - lo, units, arrays)

    @njit(**INLINED_OPTIONS)
    def step_back(ctx, op, work, y, dy, t, rows):
        """Compute the gates' gradients of step t, and add to the gradient of the previous h."""
        (lo, hi), units, row = rows, op[UNITS], y.shape[1]
        at = lo * row + t * op[WIDTH]
        earlier = at - op[WIDTH]
        now, before = vector(y, at, 1), vector(y, earlier, 1)
        d_now, d_before = vector(dy, at, 1), vector(dy, lo * row if carried else earlier, 1)
        arrays = (
            (now, row, units, 0),
            (before, row, units, 0),
            (d_now, row, units, 0),
            (d_before, row, units, 0),
        )
        cell_backward(op, hi - lo, units, arrays)
        saw = y if gated else dy
        if apart:
            products.carry(ctx, op, work, saw, dy, t, rows, (0, 0, 2 * units))
            products.carry(ctx, op, work, saw, dy, t, rows, (2 * units, apart * units, units))
        else:
            products.carry(ctx, op, work, saw, dy, t, rows, (0, 0, op[SIZE]))

    return step, step_back


def _make_recurrence(
    name: str, emit: _Emit, emit_backward: _Emit, weights: Kernel | None = None, *,
    gated: bool = True, apart: int = 0, cleared: int | None = None, carried: bool = False,
) -> Kernels:  # fmt: skip
    """Make the kernels of a recurrence from the cells of one step.

    `name` is that of the cell, for the cache; `weights` a kernel for gates that do not see
    x W + h R + b. With `gated` the gradient of the gates' inputs is in the tape, else in its
    gradient. `apart` is the place, in units, of the recurrent part of the third gate, if it is not
    added to x W. `cleared` is the place of the gradient of the initial record that must be zero at
    first. With `carried` the cell backward gets this gradient as that of the previous step.
    """
    options: Any = {"gated": gated, "apart": apart, "carried": carried}
    step, step_back = _make_steps(name, emit, emit_backward, **options)

    @kernel(FORWARD, name=f"layers.recurrent.{name}_forward")
    def forward(ctx, op, part, parts, theta, state, work, x, y):
        """Compute the tape y, step by step. Owners: rows of the batch."""
        lo, hi = owned_rows(y, part, parts)
        tape.begin(ctx, op, y, (lo, hi))
        block = tape.rows_together(op, hi - lo)
        for first in range(lo, hi, block):
            rows = first, min(first + block, hi)
            for t in range(1, tape.last_step(ctx, op) + 1):
                if is_stopped(ctx):
                    return
                products.project(ctx, op, theta, x, y, t, rows)
                step(ctx, op, theta, y, t, rows)
                _clear_ended(ctx, op, y, t, rows)
                tape.mask(ctx, op, y, t, rows)
        tape.remember(ctx, op, y, (lo, hi))

    @kernel(BACKWARD, name=f"layers.recurrent.{name}_backward")
    def backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dx and the gradient of the gates' inputs, from the last step on. Owners: rows."""
        lo, hi = owned_rows(y, part, parts)
        products.clear_padding(ctx, op, dx, (lo, hi))
        block = tape.rows_together(op, hi - lo)
        for first in range(lo, hi, block):
            rows = first, min(first + block, hi)
            if cleared is not None:
                tape.clear_place(op, dy, cleared * op[UNITS], rows)
            tape.open_gradient(ctx, op, dy, tape.last_step(ctx, op), rows)
            for t in range(tape.last_step(ctx, op), 0, -1):
                if is_stopped(ctx):
                    return
                tape.open_gradient(ctx, op, dy, t - 1, rows)
                step_back(ctx, op, work, y, dy, t, rows)
                tape.unmask(ctx, op, dy, t - 1, rows)
                products.project_back(ctx, op, work, y if gated else dy, dx, t, rows)

    @kernel(BACKWARD, name=f"layers.recurrent.{name}_weights")
    def sums(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dW, dR and db. Owners: columns."""
        products.all_gradients(ctx, op, part, parts, x, y, y if gated else dy, grad)

    return Kernels(forward, backward, weights or sums, products.recurrent_prepare)


# --- SimpleRNN ------------------------------------------------------------------------------------


def _emit_simple(f: CellActivation, read: _Read, write: _Write) -> None:
    """Emit h = f(x W + h R + b)."""
    write(_NOW, 0, f.value(read(_NOW, 0) + read(_BIASES, 0)))


def _emit_simple_backward(f: CellActivation, read: _Read, write: _Write) -> None:
    """Emit dh f'(x W + h R + b)."""
    write(_D_NOW, 0, f.back(read(_D_NOW, 0), read(_NOW, 0)))


SIMPLE_RNN = _make_recurrence("simple_rnn", _emit_simple, _emit_simple_backward, gated=False)


# --- LSTM: places of a record, in units ----------------------------------------------------------

_I, _F, _G, _O, _C, _H = range(6)


def _emit_lstm(a: CellActivation, read: _Read, write: _Write) -> None:
    """Emit c = f c + i g and h = o a(c)."""
    saw = [read(_NOW, k) + read(_BIASES, k) for k in range(4)]
    i, f, o = (sigmoid_of(saw[k]) for k in (_I, _F, _O))
    g = a.value(saw[_G])
    c = f.fma(read(_BEFORE, _C), i * g)
    for place, value in enumerate((i, f, g, o, c, o * a.value(c))):
        write(_NOW, place, value)


def _emit_lstm_backward(a: CellActivation, read: _Read, write: _Write) -> None:
    """Emit the gates' gradients, and that of the previous c."""
    i, f, g, o, c, h = (read(_NOW, k) for k in range(6))
    c_before, dh = read(_BEFORE, _C), read(_D_NOW, _H)
    dc = dh.fma(a.back_of_product(o, a.value(c), h), read(_D_BEFORE, _C))
    di, df = dc * g * (i * (1 - i)), dc * c_before * (f * (1 - f))
    dg, do = a.back(dc * i, g), dh * h * (1 - o)
    for place, value in enumerate((di, df, dg, do)):
        write(_NOW, place, value)
    write(_D_BEFORE, _C, dc * f)


LSTM_CELL = _make_recurrence("lstm", _emit_lstm, _emit_lstm_backward, cleared=_C, carried=True)


# --- GRU: places of a record, in units. Biases are those of x W, then those of h R ---------------

_Z, _R, _HH, _Q, _OUT = range(5)


def _emit_gru(a: CellActivation, read: _Read, write: _Write) -> None:
    """Emit h = z h + (1 - z) hh."""
    z, r, saw, q = (read(_NOW, k) for k in range(4))
    bias = [read(_BIASES, k) for k in range(6)]
    z, r = sigmoid_of(z + (bias[0] + bias[3])), sigmoid_of(r + (bias[1] + bias[4]))
    q = q + bias[5]
    hh = a.value(r.fma(q, saw + bias[2]))
    h = z.fma(read(_BEFORE, _OUT) - hh, hh)
    for place, value in enumerate((z, r, hh, q, h)):
        write(_NOW, place, value)


def _emit_gru_backward(a: CellActivation, read: _Read, write: _Write) -> None:
    """Emit the gates' gradients, and that of the previous h without R."""
    z, r, hh, q = (read(_NOW, k) for k in range(4))
    before, dh, d_before = read(_BEFORE, _OUT), read(_D_NOW, _OUT), read(_D_BEFORE, _OUT)
    dz = dh * (before - hh) * (z * (1 - z))
    dhh = a.back(dh * (1 - z), hh)
    dr = dhh * q * (r * (1 - r))
    for place, value in enumerate((dz, dr, dhh, dhh * r)):
        write(_NOW, place, value)
    write(_D_BEFORE, _OUT, dh.fma(z, d_before))


@kernel(BACKWARD)
def gru_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW, dR and db, of x W and of h R. Owners: columns."""
    units, size = op[UNITS], op[SIZE]
    column, end = products.owned_gates(size, part, parts)
    # The gradient of the recurrent part of hh is stored after the others.
    middle, apart = min(end, 2 * units), max(column, 2 * units)
    gates, hidden = (column, end - column, 0), (apart, end - apart, units)
    n, step = x.shape[0], products.rows_at_once(ctx, op)
    for first in range(0, n, step):
        rows = first, min(first + step, n)
        products.kernel_gradient(ctx, op, x, y, grad, rows, gates)
        products.recurrent_gradient(ctx, op, y, y, grad, rows, (column, middle - column, 0))
        products.recurrent_gradient(ctx, op, y, y, grad, rows, hidden)
        products.bias_gradient(ctx, op, y, grad, 0, rows, gates)
        products.bias_gradient(ctx, op, y, grad, 1, rows, hidden)
    # Both biases are added to the same gate, except in hh.
    start, own = (op[FEATURES] + units) * size + column, max(middle - column, 0)
    copy(vector(grad, start, own), vector(grad, start + size, own))


GRU_CELL = _make_recurrence(
    "gru", _emit_gru, _emit_gru_backward, gru_weights, apart=_Q, cleared=_OUT
)

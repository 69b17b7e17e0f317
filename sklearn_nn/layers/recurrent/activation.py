"""Activations within a recurrence: what tanh usually is in SimpleRNN, GRU and LSTM.

The steps of a recurrence are loops over vectors (see jit/lanes.py), so these are written as vector
code too, unlike the activations in activation.py. There is a loop for each of them, and one is
chosen before it begins. The way back knows f(x) and not x: here are those whose derivative follows
from the value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba import njit

from sklearn_nn.jit.functions import sigmoid_of, tanh_of
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.lane import Lane
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import OTHER_NAMES
from sklearn_nn.layers.recurrent.recurrence import ACTIVATION, HOME, UNITS, WIDTH, is_ragged, own
from sklearn_nn.layers.vectors import clear


class CellActivation(NamedTuple):
    """An activation f of one number, in a cell.

    Attributes
    ----------
    value : callable
        f(x).
    back : callable
        d f'(x) from d and y = f(x).
    back_of_product : callable
        The same from d, y and d y, which an LSTM has kept.
    """

    value: Callable[[Lane], Lane]
    back: Callable[[Lane, Lane], Lane]
    back_of_product: Callable[[Lane, Lane, Lane], Lane]


#: By their names in this package. An instruction has the place in this table.
CELL_ACTIVATIONS: dict[str, CellActivation] = {
    "tanh": CellActivation(
        tanh_of,
        lambda d, y: d * (1 - y * y),
        lambda d, y, product: d - product * y,
    ),
    "logistic": CellActivation(
        sigmoid_of,
        lambda d, y: d * (y * (1 - y)),
        lambda _d, y, product: product * (1 - y),
    ),
    "relu": CellActivation(
        lambda x: x.where("<", 0, 0, x),  # in this order NaN stays NaN
        lambda d, y: y.where(">", 0, d, 0),
        lambda d, y, _product: y.where(">", 0, d, 0),
    ),
    "identity": CellActivation(
        lambda x: x,
        lambda d, _y: d,
        lambda d, _y, _product: d,
    ),
}
_TANH, _LOGISTIC, _RELU = range(3)
#: Those from here on have no bounds.
_UNBOUNDED = _RELU

#: What a layer's `activation` may be, with what Keras calls some of them.
CELL_ACTIVATION_NAMES = (
    *CELL_ACTIVATIONS,
    *(other for other, name in OTHER_NAMES.items() if name in CELL_ACTIVATIONS),
)


def cell_activation_number(value: object) -> int | None:
    """The place in `CELL_ACTIVATIONS` of a name, or of None; None where it is not there."""
    name = "identity" if value is None else value
    if not isinstance(name, str) or name not in CELL_ACTIVATION_NAMES:
        return None
    return list(CELL_ACTIVATIONS).index(OTHER_NAMES.get(name, name))


#: As `Emit` of jit/lanes.py, with the activation in front.
_Emit = Callable[[CellActivation, ir.IRBuilder, Sequence[Load], Sequence[Store]], None]


def make_cells(name: str, operands: int, emit: _Emit) -> Any:
    """A loop over lanes for each activation, and a function that runs that of an instruction.

    Its arguments are the instruction's geometry, and those of the loop; see `make_lanes`.
    """
    tanh, logistic, relu, identity = (
        make_lanes(f"{name}_{key}", operands, functools.partial(emit, activation))
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
def clear_ended(ctx, op, y, t, lo, hi):
    """Without bounds, make the stretch of step t zero in rows that have ended before it.

    Their state would go on to grow there until it is infinite, which times a gradient of zero is
    NaN.
    """
    if op[ACTIVATION] >= _UNBOUNDED and is_ragged(ctx, op):
        for i in range(lo, hi):
            if own(ctx, op, i) < t:
                clear(vector(y, i * y.shape[1] + t * op[WIDTH], op[HOME] + op[UNITS]))

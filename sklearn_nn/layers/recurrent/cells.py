"""The common parts of SimpleRNN, LSTM and GRU: cell activations and the loop over the steps.

A step is a loop over vectors (see jit/lanes.py), so the activations are written as vector code,
unlike those in activation.py. There is one loop for each activation. Backward knows f(x) and not x,
so f is one of the activations whose derivative is a function of f(x).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite.ir import IRBuilder
from numba import njit

from sklearn_nn.jit.functions import sigmoid_of, tanh_of
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel
from sklearn_nn.jit.lane import Lane
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import OTHER_NAMES
from sklearn_nn.layers.base import BACKWARD, FORWARD, is_stopped, owned_rows
from sklearn_nn.layers.layer import Kernels
from sklearn_nn.layers.recurrent.products import (
    all_gradients,
    clear_padding,
    project,
    project_back,
    recurrent_prepare,
)
from sklearn_nn.layers.recurrent.tape import (
    ACTIVATION,
    HOME,
    UNITS,
    WIDTH,
    begin,
    clear_place,
    is_ragged,
    last_step,
    mask,
    open_gradient,
    own,
    remember,
    rows_together,
    unmask,
)
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
        d f'(x) from d, y and the product d y, which an LSTM has stored.
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

#: Names that a layer's `activation` may have, those of Keras included.
CELL_ACTIVATION_NAMES = (
    *CELL_ACTIVATIONS,
    *(other for other, name in OTHER_NAMES.items() if name in CELL_ACTIVATIONS),
)


def cell_activation_number(value: object) -> int | None:
    """Return the index in `CELL_ACTIVATIONS` of a name, or of None; None if it is unknown."""
    name = "identity" if value is None else value
    if not isinstance(name, str) or name not in CELL_ACTIVATION_NAMES:
        return None
    return list(CELL_ACTIVATIONS).index(OTHER_NAMES.get(name, name))


Loads = Sequence[Load]
Stores = Sequence[Store]
#: As `Emit` of jit/lanes.py, with the activation in front.
_Emit = Callable[[CellActivation, IRBuilder, Loads, Stores], None]


def make_cells(name: str, operands: int, emit: _Emit) -> Any:
    """Make a loop over lanes for each activation; return a function that runs an instruction's one.

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
def _clear_ended(ctx, op, y, t, rows):
    """Set the stretch of step t to zero in rows that have ended, if the activation is unbounded.

    There the state would grow to infinity, which times a gradient of zero is NaN.
    """
    if op[ACTIVATION] >= _UNBOUNDED and is_ragged(ctx, op):
        for i in range(rows[0], rows[1]):
            if own(ctx, op, i) < t:
                clear(vector(y, i * y.shape[1] + t * op[WIDTH], op[HOME] + op[UNITS]))


def make_recurrence(
    name: str,
    step: Any,
    step_back: Any,
    weights: Kernel | None = None,
    *,
    gated: bool = True,
    cleared: int | None = None,
) -> Kernels:
    """Make the kernels of a recurrence from those of one step.

    Parameters
    ----------
    name : str
        Name of the cell, for the cache.
    step : function
        Jitted. ``step(ctx, op, theta, y, t, rows)`` computes step t of rows ``(lo, hi)``, where
        x W is in the tape y already.
    step_back : function
        Jitted. ``step_back(ctx, op, work, y, dy, t, rows)`` computes the gradient of the gates'
        inputs of step t, and adds to that of the previous h.
    weights : Kernel, optional
        None is for gates that see x W + h R + b.
    gated : bool
        Whether the gradient of the gates' inputs is in the tape, and not in its gradient.
    cleared : int or None
        Place, in units, of the gradient of the initial stretch that must be zero at first, if any.
    """

    @kernel(FORWARD, name=f"layers.recurrent.{name}_forward")
    def forward(ctx, op, part, parts, theta, state, work, x, y):
        """Compute the tape y, step by step. Owners: rows of the batch."""
        lo, hi = owned_rows(y, part, parts)
        begin(ctx, op, y, (lo, hi))
        block = rows_together(op, hi - lo)
        for first in range(lo, hi, block):
            rows = first, min(first + block, hi)
            for t in range(1, last_step(ctx, op) + 1):
                if is_stopped(ctx):
                    return
                project(ctx, op, theta, x, y, t, rows)
                step(ctx, op, theta, y, t, rows)
                _clear_ended(ctx, op, y, t, rows)
                mask(ctx, op, y, t, rows)
        remember(ctx, op, y, (lo, hi))

    @kernel(BACKWARD, name=f"layers.recurrent.{name}_backward")
    def backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dx and the gradient of the gates' inputs, from the last step on. Owners: rows."""
        lo, hi = owned_rows(y, part, parts)
        clear_padding(ctx, op, dx, (lo, hi))
        block = rows_together(op, hi - lo)
        for first in range(lo, hi, block):
            rows = first, min(first + block, hi)
            if cleared is not None:
                clear_place(op, dy, cleared * op[UNITS], rows)
            open_gradient(ctx, op, dy, last_step(ctx, op), rows)
            for t in range(last_step(ctx, op), 0, -1):
                if is_stopped(ctx):
                    return
                open_gradient(ctx, op, dy, t - 1, rows)
                step_back(ctx, op, work, y, dy, t, rows)
                unmask(ctx, op, dy, t - 1, rows)
                project_back(ctx, op, work, y if gated else dy, dx, t, rows)

    @kernel(BACKWARD, name=f"layers.recurrent.{name}_weights")
    def sums(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dW, dR and db. Owners: columns."""
        all_gradients(ctx, op, part, parts, x, y, y if gated else dy, grad)

    return Kernels(forward, backward, weights or sums, recurrent_prepare)

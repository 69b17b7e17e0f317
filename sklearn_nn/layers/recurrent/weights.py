"""Gradients of a recurrent layer's weights: sums over the rows of a batch and their steps.

`saw` is where the gates' gradient lies. Each part reads its own columns of it, and no others.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.contract import contract
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.convolution.convolve import add_places
from sklearn_nn.layers.recurrent.recurrence import (
    FEATURES,
    SIZE,
    TURNED,
    UNITS,
    WIDTH,
    goes_on,
    is_ragged,
    last_step,
    own,
    read_at,
)
from sklearn_nn.layers.vectors import clear

# Columns are dealt out in multiples of this: a tile's width.
_COLUMN_GRAIN = 32


@njit(**INLINED_OPTIONS)
def owned_columns(size, part, parts):
    """The columns of W, R and b that a part owns."""
    return share(size, part, parts, _COLUMN_GRAIN)


@njit(**INLINED_OPTIONS)
def kernel_gradient(ctx, op, x, saw, grad, column, size):
    """So many columns of dW from `column` on: sum over steps and rows of x^T gates' gradient."""
    features, width, row = op[FEATURES], op[WIDTH], x.shape[1]
    dw, back = vector(grad, column, 1), -features if op[TURNED] else features
    if op[TURNED] and is_ragged(ctx, op):  # each row begins at its own step
        for i in range(x.shape[0]):
            steps = own(ctx, op, i)
            contract(
                vector(x, i * row + max(steps - 1, 0) * features, 1), 1, back, 0,
                vector(saw, i * saw.shape[1] + width + column, 1), width, 0,
                dw, op[SIZE], features, size, steps, 1, min(i, 1),
            )  # fmt: skip
        return
    most = last_step(ctx, op)
    contract(
        vector(x, (most - 1 if op[TURNED] else 0) * features, 1), 1, back, row,
        vector(saw, width + column, 1), width, saw.shape[1],
        dw, op[SIZE], features, size, most, x.shape[0], 0,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def recurrent_gradient(ctx, op, y, saw, grad, column, size, shift):
    """So many columns of dR from `column` on: sum over steps and rows of h^T gates' gradient.

    That of column j lies in place ``j + shift`` of a stretch.
    """
    first = 1 if goes_on(ctx, op) else 2
    at = first * op[WIDTH]
    contract(
        vector(y, at - op[WIDTH] + read_at(ctx, op), 1), 1, op[WIDTH], y.shape[1],
        vector(saw, at + column + shift, 1), op[WIDTH], saw.shape[1],
        vector(grad, op[FEATURES] * op[SIZE] + column, 1), op[SIZE],
        op[UNITS], size, last_step(ctx, op) - first + 1, y.shape[0], 0,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def bias_gradient(ctx, op, saw, grad, bias, column, size, shift):
    """So many columns of a bias from `column` on: sum over steps and rows of gates' gradient.

    That of column j lies in place ``j + shift`` of a stretch.
    """
    start = (op[FEATURES] + op[UNITS] + bias) * op[SIZE] + column
    db = vector(grad, start, max(size, 0))
    clear(db)
    for i in range(saw.shape[0]):
        places = matrix(saw, i * saw.shape[1] + op[WIDTH], last_step(ctx, op), op[WIDTH])
        add_places(places, column + shift, db)


@njit(**INLINED_OPTIONS)
def all_gradients(ctx, op, part, parts, x, y, saw, grad):
    """dW, dR and db where x W and h R are just added. Owners: columns."""
    column, end = owned_columns(op[SIZE], part, parts)
    kernel_gradient(ctx, op, x, saw, grad, column, end - column)
    recurrent_gradient(ctx, op, y, saw, grad, column, end - column, 0)
    bias_gradient(ctx, op, saw, grad, 0, column, end - column, 0)

"""Kernels of ``x W`` for every step of a recurrent layer, written where its gates will be.

See recurrence.py for how steps lie in y, the tape. With all rows of one length and few steps, the
rows of a step are one contraction; else the steps of a row are, which may go backwards.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.contract import contract
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, LENGTHS, PREPARE, owned_rows
from sklearn_nn.layers.convolve import BIAS_GRAIN
from sklearn_nn.layers.lengths import longest, own_steps
from sklearn_nn.layers.recurrence import owned_columns
from sklearn_nn.layers.vectors import clear

# An instruction's geometry: features, the most steps, columns of W, and the clock; the width of a
# stretch of the tape, and whether it goes backwards.
_FEATURES, _STEPS, _SIZE, _OFFSET, _STRIDE, _WIDTH, _TURNED = range(7)


@njit(**INLINED_OPTIONS)
def _is_ragged(ctx, op):
    """Whether rows are of unequal length."""
    return op[_STRIDE] != 0 and ctx[LENGTHS] != 0


@njit(**INLINED_OPTIONS)
def _by_step(ctx, op, rows):
    """Whether the rows of a step are a contraction, and not the steps of a row.

    Not with one feature, of which the steps of a row are a vector: `contract` sums that otherwise.
    """
    return not _is_ragged(ctx, op) and op[_STEPS] < rows and op[_FEATURES] > 1


@njit(**INLINED_OPTIONS)
def _own(ctx, op, row):
    """Steps of a row."""
    return own_steps(ctx, op[_OFFSET], op[_STRIDE], row, op[_STEPS])


@kernel(FORWARD)
def projection_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Gates = x W, 0 in the padding up to the batch's last step. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    features, size, width, turned = op[_FEATURES], op[_SIZE], op[_WIDTH], op[_TURNED]
    if _by_step(ctx, op, hi - lo):
        for t in range(op[_STEPS]):
            step = op[_STEPS] - 1 - t if turned else t
            contract(
                vector(x, lo * x.shape[1] + step * features, 1), x.shape[1], 1, 0, theta, size, 0,
                vector(y, lo * y.shape[1] + (t + 1) * width, 1), y.shape[1],
                hi - lo, size, features, 1, 0,
            )  # fmt: skip
        return
    most = longest(ctx, op[_OFFSET], op[_STRIDE], op[_STEPS])
    for i in range(lo, hi):
        own = _own(ctx, op, i)
        first, back = (max(own - 1, 0), -features) if turned else (0, features)
        at = i * y.shape[1] + width
        contract(
            vector(x, i * x.shape[1] + first * features, 1), back, 1, 0, theta, size, 0,
            vector(y, at, 1), width, own, size, features, 1, 0,
        )  # fmt: skip
        for t in range(own, most):
            clear(vector(y, at + t * width, size))


@kernel(PREPARE)
def projection_prepare(ctx, op, part, parts, theta, work):
    """work = W^T. Owners: rows of W."""
    features, size = op[_FEATURES], op[_SIZE]
    lo, hi = share(features, part, parts, BIAS_GRAIN)
    transpose(matrix(theta, 0, features, size), matrix(work, 0, size, features), lo, hi)


@kernel(BACKWARD)
def projection_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = gates' gradient W^T, 0 in the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    features, size, width, turned = op[_FEATURES], op[_SIZE], op[_WIDTH], op[_TURNED]
    if _by_step(ctx, op, hi - lo):
        for t in range(op[_STEPS]):
            step = op[_STEPS] - 1 - t if turned else t
            contract(
                vector(dy, lo * dy.shape[1] + (t + 1) * width, 1), dy.shape[1], 1, 0,
                work, features, 0, vector(dx, lo * dx.shape[1] + step * features, 1), dx.shape[1],
                hi - lo, features, size, 1, 0,
            )  # fmt: skip
        return
    for i in range(lo, hi):
        own = _own(ctx, op, i)
        first, back = (own, -width) if turned else (1, width)
        contract(
            vector(dy, i * dy.shape[1] + first * width, 1), back, 1, 0, work, features, 0,
            vector(dx, i * dx.shape[1], 1), features, own, features, size, 1, 0,
        )  # fmt: skip
        kept = own * features
        clear(vector(dx, i * dx.shape[1] + kept, dx.shape[1] - kept))


@kernel(BACKWARD)
def projection_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = sum over steps and rows of x^T times the gates' gradient. Owners: columns."""
    features, size, width, turned = op[_FEATURES], op[_SIZE], op[_WIDTH], op[_TURNED]
    lo, hi = owned_columns(size, part, parts)
    dw = vector(grad, lo, 1)
    if turned and _is_ragged(ctx, op):  # each row begins at its own step
        for i in range(x.shape[0]):
            own = _own(ctx, op, i)
            contract(
                vector(x, i * x.shape[1] + max(own - 1, 0) * features, 1), 1, -features, 0,
                vector(dy, i * dy.shape[1] + width + lo, 1), width, 0,
                dw, size, features, hi - lo, own, 1, min(i, 1),
            )  # fmt: skip
        return
    most = longest(ctx, op[_OFFSET], op[_STRIDE], op[_STEPS])
    first, back = (most - 1, -features) if turned else (0, features)
    contract(
        vector(x, first * features, 1), 1, back, x.shape[1],
        vector(dy, width + lo, 1), width, dy.shape[1],
        dw, size, features, hi - lo, most, x.shape[0], 0,
    )  # fmt: skip

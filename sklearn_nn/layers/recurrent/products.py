"""Matrix products of a recurrent layer: x W and h R, and the gradients of x, h, W, R and biases.

See tape.py for the layout of steps in y, the tape. ``x W`` is computed for a few steps at a time,
just before the recurrence goes through them, while the result is in the second-level cache. In
backward, dx is computed in the same way, just after the recurrence. `saw` holds the gradient of the
gates' inputs.

The rows of a contraction run over the rows of the batch and their steps, either of which may be
outer. With one feature the steps of a row are a vector, which `contract` sums in another way, so
there they are inner.
"""

from __future__ import annotations

from sklearn_nn.jit import njit
from sklearn_nn.jit.blocks import BLOCK, CHAIN
from sklearn_nn.jit.contract import contract, contract_and_fetch, contract_groups
from sklearn_nn.jit.host import INLINED_OPTIONS, LINE
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import PREPARE
from sklearn_nn.layers.convolution.convolve import add_places
from sklearn_nn.layers.recurrent import tape
from sklearn_nn.layers.recurrent.tape import FEATURES, SIZE, STEPS, TURNED, UNITS, WIDTH
from sklearn_nn.layers.vectors import clear, owned_columns

#: Steps whose x W is computed together.
_TOGETHER = 8
#: In backward, each step prefetches memory that later ones read, for some rows; the first of these
#: rows moves on by this number from step to step.
_TURN = 5
# Columns are divided among parts in multiples of a tile's width.
_GATE_GRAIN = 32


@njit(**INLINED_OPTIONS)
def project(ctx, op, theta, x, y, t, rows):
    """Compute gates = x W for the next steps if they begin with t; 0 in the padding."""
    if (t - 1) % _TOGETHER != 0:
        return
    (lo, hi), row = rows, x.shape[1]
    features, size, width = op[FEATURES], op[SIZE], op[WIDTH]
    count = min(_TOGETHER, tape.last_step(ctx, op) + 1 - t)
    back = -features if op[TURNED] else features
    if tape.is_ragged(ctx, op):
        for i in range(lo, hi):
            steps = tape.own(ctx, op, i)
            kept, at = max(min(steps + 1 - t, count), 0), i * y.shape[1] + t * width
            first = max(steps - t, 0) if op[TURNED] else t - 1
            contract(
                a=vector(x, i * row + first * features, 1), ars=back, acs=1, ao=0,
                b=theta, bs=size, bo=0, c=vector(y, at, 1), cs=width,
                M=kept, N=size, K=features, O=1, beta=0,
            )  # fmt: skip
            for k in range(kept, count):
                clear(vector(y, at + k * width, size))
        return
    first = op[STEPS] - t if op[TURNED] else t - 1
    by_step = count < hi - lo
    contract_groups(
        vector(theta, 0, 0), vector(x, lo * row + first * features, 1),
        row if by_step else back, 1, ao=0, b=theta, bs=size, bo=0,
        c=vector(y, lo * y.shape[1] + t * width, 1), cs=y.shape[1] if by_step else width,
        M=hi - lo if by_step else count, N=size, K=features, O=1,
        G=count if by_step else hi - lo, ag=back if by_step else row,
        cg=width if by_step else y.shape[1],
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def clear_padding(ctx, op, dx, rows):
    """Set dx = 0 after the end of each row."""
    for i in range(rows[0], rows[1] if dx.shape[1] else rows[0]):
        kept = tape.own(ctx, op, i) * op[FEATURES]
        clear(vector(dx, i * dx.shape[1] + kept, dx.shape[1] - kept))


@njit(**INLINED_OPTIONS)
def project_back(ctx, op, work, saw, dx, t, rows):
    """Compute dx = saw W^T for the steps from t on that `project` computes together, if needed."""
    if (t - 1) % _TOGETHER != 0 or dx.shape[1] == 0:
        return
    (lo, hi), row = rows, dx.shape[1]
    features, size, width = op[FEATURES], op[SIZE], op[WIDTH]
    count, back = min(_TOGETHER, tape.last_step(ctx, op) + 1 - t), -width if op[TURNED] else width
    of_kernel = vector(work, op[UNITS] * size, 1)
    if tape.is_ragged(ctx, op):
        for i in range(lo, hi):
            steps = tape.own(ctx, op, i)
            kept, at = max(min(steps + 1 - t, count), 0), i * saw.shape[1]
            # Of reversed steps, the last is the first in dx.
            first, step = (t + kept - 1, steps + 1 - t - kept) if op[TURNED] else (t, t - 1)
            contract(
                a=vector(saw, at + first * width, 1), ars=back, acs=1, ao=0,
                b=of_kernel, bs=features, bo=0,
                c=vector(dx, i * row + max(step, 0) * features, 1), cs=features,
                M=kept, N=features, K=size, O=1, beta=0,
            )  # fmt: skip
        return
    first, step = (t + count - 1, op[STEPS] + 1 - t - count) if op[TURNED] else (t, t - 1)
    by_step = count < hi - lo and features > 1
    contract_groups(
        vector(work, 0, 0), vector(saw, lo * saw.shape[1] + first * width, 1),
        saw.shape[1] if by_step else back, 1, ao=0, b=of_kernel, bs=features, bo=0,
        c=vector(dx, lo * row + step * features, 1), cs=row if by_step else features,
        M=hi - lo if by_step else count, N=features, K=size, O=1,
        G=count if by_step else hi - lo, ag=back if by_step else saw.shape[1],
        cg=features if by_step else row,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def add_recurrent(ctx, op, theta, y, t, rows, gates, beta):
    """Add h R of the previous step to the record of step t, or write it if `beta` is 0.

    `gates` is the first of the columns of R, the place in the record, and their number.
    """
    column, target, size = gates
    lo, hi = rows
    row = y.shape[1]
    at = lo * row + t * op[WIDTH]
    if t == 1 and not tape.goes_on(ctx, op):  # h is 0
        for i in range(0 if beta else hi - lo):
            clear(vector(y, at + i * row + target, size))
    else:
        contract(
            a=vector(y, at - op[WIDTH] + tape.read_at(ctx, op), 1), ars=row, acs=1, ao=0,
            b=vector(theta, op[FEATURES] * op[SIZE] + column, 1), bs=op[SIZE], bo=0,
            c=vector(y, at + target, 1), cs=row, M=hi - lo, N=size, K=op[UNITS], O=1, beta=beta,
        )  # fmt: skip


@njit(**INLINED_OPTIONS)
def carry(ctx, op, work, saw, dy, t, rows, gates):
    """Add the gradient of the inputs of some gates of step t, times R^T, to that of the previous h.

    `gates` is the first column of R (transposed in `work`), the place in `saw`, and their number.
    Nothing is added to the initial h. Meanwhile the records of earlier steps are fetched.
    """
    if t == 1:
        return
    column, source, size = gates
    lo, hi = rows
    row, units = dy.shape[1], op[UNITS]
    at = lo * row + t * op[WIDTH]
    before = at - op[WIDTH] + tape.read_at(ctx, op)
    run = min(size, BLOCK) * LINE // dy.itemsize
    contract_and_fetch(
        vector(saw, max(at - run, 0), 1), row, t * _TURN % (hi - lo),
        vector(saw, at + source, 1), ars=row, acs=1, ao=0,
        b=vector(work, column * units, 1), bs=units, bo=0, c=vector(dy, before, 1), cs=row,
        M=hi - lo, N=units, K=size, O=1, beta=0 if tape.is_masked(ctx, op) and column == 0 else 1,
    )  # fmt: skip


@kernel(PREPARE)
def recurrent_prepare(ctx, op, part, parts, theta, work):
    """Compute work = R^T, then W^T. Owners: rows of R and of W."""
    features, units, size = op[FEATURES], op[UNITS], op[SIZE]
    lo, hi = owned_columns(units, part, parts)
    recurrent = matrix(theta, features * size, units, size)
    transpose(recurrent, matrix(work, 0, size, units), lo, hi)
    lo, hi = owned_columns(features, part, parts)
    transpose(matrix(theta, 0, features, size), matrix(work, units * size, size, features), lo, hi)


@njit(**INLINED_OPTIONS)
def owned_gates(size, part, parts):
    """Return the columns of W, R and b that a part owns, and whose columns of `saw` it reads."""
    return share(size, part, parts, _GATE_GRAIN)


@njit(**INLINED_OPTIONS)
def _first(ctx, op):
    """Return the first step whose previous h is not zero."""
    return 1 if tape.goes_on(ctx, op) else 2


@njit(**INLINED_OPTIONS)
def rows_at_once(ctx, op):
    """Return the number of rows of the batch that are read once for all gradients of weights.

    `contract` sums as many rows in one chain as there are whole ones in `CHAIN` steps. This is a
    multiple of these numbers, for dW and for dR, so that sums are those of a single call.
    """
    steps = tape.last_step(ctx, op)
    of_kernel = max(CHAIN // max(steps, 1), 1)
    of_recurrent = max(CHAIN // max(steps + 1 - _first(ctx, op), 1), 1)
    return of_kernel if of_kernel == of_recurrent else of_kernel * of_recurrent


@njit(**INLINED_OPTIONS)
def kernel_gradient(ctx, op, x, saw, grad, rows, gates):
    """Add x^T saw of some rows to columns of dW, or begin with row 0; `gates` as below."""
    features, width, row, (column, size, _) = op[FEATURES], op[WIDTH], x.shape[1], gates
    (lo, hi), back, dw = rows, -features if op[TURNED] else features, vector(grad, column, 1)
    if op[TURNED] and tape.is_ragged(ctx, op):  # each row begins at its own step
        for i in range(lo, hi):
            steps = tape.own(ctx, op, i)
            contract(
                a=vector(x, i * row + max(steps - 1, 0) * features, 1), ars=1, acs=back, ao=0,
                b=vector(saw, i * saw.shape[1] + width + column, 1), bs=width, bo=0,
                c=dw, cs=op[SIZE], M=features, N=size, K=steps, O=1, beta=min(i, 1),
            )  # fmt: skip
        return
    most = tape.last_step(ctx, op)
    contract(
        a=vector(x, lo * row + (most - 1 if op[TURNED] else 0) * features, 1),
        ars=1, acs=back, ao=row,
        b=vector(saw, lo * saw.shape[1] + width + column, 1), bs=width, bo=saw.shape[1],
        c=dw, cs=op[SIZE], M=features, N=size, K=most, O=hi - lo, beta=min(lo, 1),
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def recurrent_gradient(ctx, op, y, saw, grad, rows, gates):
    """Add h^T saw of some rows to columns of dR, or begin with row 0.

    `gates` is the first column, their number, and how far after it its place in `saw` is.
    """
    first, (lo, hi), (column, size, shift) = _first(ctx, op), rows, gates
    before = (first - 1) * op[WIDTH] + tape.read_at(ctx, op)
    at = first * op[WIDTH] + column + shift
    contract(
        a=vector(y, lo * y.shape[1] + before, 1), ars=1, acs=op[WIDTH], ao=y.shape[1],
        b=vector(saw, lo * saw.shape[1] + at, 1), bs=op[WIDTH], bo=saw.shape[1],
        c=vector(grad, op[FEATURES] * op[SIZE] + column, 1), cs=op[SIZE], M=op[UNITS], N=size,
        K=tape.last_step(ctx, op) - first + 1, O=hi - lo, beta=min(lo, 1),
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def bias_gradient(ctx, op, saw, grad, bias, rows, gates):
    """Add saw of some rows to columns of db number `bias`, or begin with row 0; see above."""
    (lo, hi), (column, size, shift) = rows, gates
    start = (op[FEATURES] + op[UNITS] + bias) * op[SIZE] + column
    db = vector(grad, start, max(size, 0))
    if lo == 0:
        clear(db)
    for i in range(lo, hi):
        places = matrix(saw, i * saw.shape[1] + op[WIDTH], tape.last_step(ctx, op), op[WIDTH])
        add_places(places, column + shift, db)


@njit(**INLINED_OPTIONS)
def all_gradients(ctx, op, part, parts, x, y, saw, grad):
    """Compute dW, dR and db of cells whose gates are x W + h R + b. Owners: columns."""
    column, end = owned_gates(op[SIZE], part, parts)
    n, step, gates = x.shape[0], rows_at_once(ctx, op), (column, end - column, 0)
    for first in range(0, n, step):
        rows = first, min(first + step, n)
        kernel_gradient(ctx, op, x, saw, grad, rows, gates)
        recurrent_gradient(ctx, op, y, saw, grad, rows, gates)
        bias_gradient(ctx, op, saw, grad, 0, rows, gates)
